/** Rights on one database of the Glue catalog. */
import { Stack, Token } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { acknowledge } from '../acknowledge.ts';

/** Allows the actions on the database and all its tables; every call names the catalog and the database too. */
export function allowOnDatabase(role: Role, database: string, actions: string[], reason: string): void {
  const stack = Stack.of(role);
  const resources = ['catalog', `database/${database}`, `table/${database}/*`].map((resource) =>
    stack.formatArn({ service: 'glue', resource }),
  );
  role.addToPolicy(new PolicyStatement({ actions, resources }));
  const own = (token: string, value: string): string => (Token.isUnresolved(value) ? `<AWS::${token}>` : value);
  const tables = `arn:<AWS::Partition>:glue:${own('Region', stack.region)}:${own('AccountId', stack.account)}:table/${database}/*`;
  acknowledge(role, `IAM5[Resource::${tables}]`, reason);
}
