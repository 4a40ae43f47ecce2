import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { systemClock } from '@cadastre/runtime';
import { AccessController } from './access/access.controller.js';
import { operationsOfCaller } from './access/caller-scope.js';
import type { Identity } from './access/identify.js';
import { IDENTITY } from './access/tokens.js';
import { ApiController, OpenApiController } from './rest/api.controller.js';
import type { EventStream } from './rest/event-stream.js';
import { HealthController } from './rest/health.controller.js';
import type { Readiness } from './rest/tokens.js';
import { CLOCK, EVENTS, OPERATIONS, READINESS } from './rest/tokens.js';

export interface AppParts {
  readonly identity: Identity;
  readonly events: EventStream;
  readonly readiness: Readiness;
}

@Module({})
// oxlint-disable-next-line typescript/no-extraneous-class -- Nest hangs a module on a class
class AppModule {}

/** Wiring only: every part is made before and handed in. */
export const appModule = (parts: AppParts): DynamicModule => ({
  module: AppModule,
  controllers: [ApiController, AccessController, OpenApiController, HealthController],
  providers: [
    { provide: IDENTITY, useValue: parts.identity },
    { provide: OPERATIONS, useValue: operationsOfCaller(parts.identity) },
    { provide: CLOCK, useValue: systemClock },
    { provide: EVENTS, useValue: parts.events },
    { provide: READINESS, useValue: parts.readiness },
  ],
});
