/** A topic that people hear of by e-mail, encrypted with a key of its own so that alarms and budgets may publish to it. */
import { RemovalPolicy } from 'aws-cdk-lib';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

export interface PeopleTopicProps {
  readonly displayName: string;
  readonly addresses: readonly string[];
  /** Services of AWS that publish to it, such as cloudwatch.amazonaws.com. */
  readonly publishers?: readonly string[];
}

export class PeopleTopic extends Construct {
  readonly topic: Topic;
  readonly key: Key;

  constructor(scope: Construct, id: string, { displayName, addresses, publishers = [] }: PeopleTopicProps) {
    super(scope, id);
    this.key = new Key(this, 'Key', {
      description: `kashi: ${displayName}`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.topic = new Topic(this, 'Topic', { displayName, masterKey: this.key, enforceSSL: true });
    for (const address of addresses) this.topic.addSubscription(new EmailSubscription(address));
    for (const publisher of publishers) {
      this.topic.grantPublish(new ServicePrincipal(publisher));
      this.key.grant(new ServicePrincipal(publisher), 'kms:Decrypt', 'kms:GenerateDataKey');
    }
  }
}
