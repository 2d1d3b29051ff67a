import { DuckDBInstance } from '@duckdb/node-api';
import { readFileSync } from 'node:fs';
const [,, dir, memory='2GB', threads='2'] = process.argv;
const i = await DuckDBInstance.create(':memory:', {threads, memory_limit: memory}); const c = await i.connect();
await c.run("set temp_directory='/tmp/kashi-bench/.tmp'"); await c.run('set integer_division=true'); await c.run('set preserve_insertion_order=false');
await c.run(`create view u as select * from read_parquet('${dir}/warehouse/data/token_usage/*/*.parquet', filename=true)`);
await c.run(`create view s as select * from read_parquet('${dir}/warehouse/data/gpu_sample/*/*.parquet', filename=true)`);
const cpu=()=>{const u=process.cpuUsage();return (u.user+u.system)/1e6};
for (const q of readFileSync(0,'utf8').split(';').map(x=>x.trim()).filter(Boolean)) {
  const t=cpu(), w=Date.now(); const r=await c.runAndReadAll(q);
  console.log((cpu()-t).toFixed(2), ((Date.now()-w)/1e3).toFixed(2), q.slice(0,90).replace(/\s+/g,' '), JSON.stringify(r.getRows()[0]?.map(String)));
}
console.log(readFileSync('/proc/self/status','utf8').match(/VmHWM.*/)![0]);
