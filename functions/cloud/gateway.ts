/** A request of the HTTP gateway, answered by an HttpService. */
import type { HttpAnswer, HttpRequestHead, HttpService } from '../ports.ts';

/** As API Gateway hands it over (payload format 2.0). Header names are lower case. */
export interface GatewayRequest {
  readonly rawPath: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly requestContext: { readonly http: { readonly method: string } };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
}

export interface GatewayAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The gateway has read the body already; the bounds of the service hold all the same. */
export async function answerGateway(service: HttpService, request: GatewayRequest): Promise<GatewayAnswer> {
  const head: HttpRequestHead = {
    method: request.requestContext.http.method,
    path: request.rawPath,
    header: (name) => request.headers[name] ?? null,
  };
  const admitted = service.admit(head);
  if ('status' in admitted) return gatewayAnswer(admitted);
  const body = Buffer.from(request.body ?? '', request.isBase64Encoded ? 'base64' : 'utf8');
  if (body.length > admitted.maxBodyBytes) return gatewayAnswer(admitted.refuse(413, `allowed ${admitted.maxBodyBytes} bytes`));
  return gatewayAnswer(await admitted.accept(body));
}

function gatewayAnswer({ status, headers, body }: HttpAnswer): GatewayAnswer {
  return { statusCode: status, headers, body };
}
