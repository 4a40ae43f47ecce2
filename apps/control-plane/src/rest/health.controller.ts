import { Controller, Get, Inject } from '@nestjs/common';
import { CadastreError } from '@cadastre/core';
import type { Readiness } from './tokens.js';
import { READINESS } from './tokens.js';

@Controller()
export class HealthController {
  constructor(@Inject(READINESS) private readonly readiness: Readiness) {}

  @Get('healthz')
  healthz() {
    return { status: 'alive' };
  }

  @Get('readyz')
  readyz() {
    const because = this.readiness.unreadyBecause();
    if (because !== undefined)
      throw new CadastreError('UNAVAILABLE', because, { remedy: 'wait, or use another replica' });
    return { status: 'ready' };
  }
}
