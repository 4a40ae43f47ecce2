import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '@cadastre/runtime';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch } from '@nestjs/common';
import { problemOf } from './problem.js';

export const sendProblem = (response: ServerResponse, thrown: unknown): void => {
  const body = problemOf(thrown);
  response.statusCode = body.status;
  response.setHeader('content-type', 'application/problem+json');
  response.end(JSON.stringify(body));
};

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<ServerResponse>();
    const { method, url } = http.getRequest<IncomingMessage>();
    if (problemOf(thrown).code === 'INTERNAL')
      this.logger.error('a request failed by a fault of ours', { method, path: url?.split('?')[0], error: thrown });
    if (response.headersSent) response.destroy();
    else sendProblem(response, thrown);
  }
}
