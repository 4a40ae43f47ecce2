import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { OperationsPort } from './operations/ports.js';
import { ApiController, OpenApiController } from './rest/api.controller.js';
import type { EventStream } from './rest/event-stream.js';
import { HealthController } from './rest/health.controller.js';
import type { Readiness } from './rest/tokens.js';
import { EVENTS, OPERATIONS, READINESS } from './rest/tokens.js';

export interface AppParts {
  readonly operations: OperationsPort;
  readonly events: EventStream;
  readonly readiness: Readiness;
}

@Module({})
// oxlint-disable-next-line typescript/no-extraneous-class -- Nest hangs a module on a class
class AppModule {}

/** Wiring only: every part is made before and handed in. */
export const appModule = (parts: AppParts): DynamicModule => ({
  module: AppModule,
  controllers: [ApiController, OpenApiController, HealthController],
  providers: [
    { provide: OPERATIONS, useValue: parts.operations },
    { provide: EVENTS, useValue: parts.events },
    { provide: READINESS, useValue: parts.readiness },
  ],
});
