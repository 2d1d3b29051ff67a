/** ECR with the credentials of the surroundings; loaded only when a registry is one. */
import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { KashiError } from '../domain/errors.ts';
import type { ImageRegistry } from '../ports.ts';
import { asked, ecrRegistry } from './registry-ecr.ts';
import type { EcrPlace } from './registry-ecr-replication.ts';
import type { RegistryAddress } from './registry-oci-http.ts';

/** A token is good for twelve hours; a new one is asked for well before. */
const TOKEN_MS = 6 * 3_600_000;

export type Mount = (address: RegistryAddress, repository: string, digest: string, from: string) => Promise<boolean>;

/** The registry of an account in a Region. */
export function openEcrPlace(account: string, region: string): EcrPlace {
  return { client: new ECRClient({ region }), host: `${account}.dkr.ecr.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}` };
}

/** `mount`: links a blob through the registry's OCI endpoint, which the API has no operation for. */
export function openEcr(account: string, region: string, mount: Mount): ImageRegistry {
  const { client, host } = openEcrPlace(account, region);
  let known: { readonly address: RegistryAddress; readonly untilMs: number } | null = null;
  const address = async (): Promise<RegistryAddress> => {
    if (known !== null && performance.now() < known.untilMs) return known.address;
    const { authorizationData = [] } = await asked(host, client.send(new GetAuthorizationTokenCommand({})));
    const [user = '', password = ''] = Buffer.from(authorizationData[0]?.authorizationToken ?? '', 'base64')
      .toString('utf8')
      .split(':');
    if (password === '') throw new KashiError('config_invalid', 'ECR gives no token for these credentials', { where: host });
    known = { address: { url: `https://${host}`, credentials: { user, password } }, untilMs: performance.now() + TOKEN_MS };
    return known.address;
  };
  return ecrRegistry({ client, host, mount: async (repository, digest, from) => await mount(await address(), repository, digest, from) });
}
