import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { ActOnPlan } from '../../apps/control-plane/src/operations/ports.js';
import { FakeOperations } from './fake-operations.js';

/** In a world that may have moved on since the plan was made. */
export class OperatorFake extends FakeOperations {
  staleBecause: string[] = [];

  override async actOnPlan(act: ActOnPlan): Promise<Wire.Plan> {
    if (act.action === 'approve' && this.staleBecause.length > 0)
      throw new CadastreError('PLAN_STALE', `plan ${act.id} is out of date: ${this.staleBecause.join('; ')}`, {
        remedy: 'propose a new one',
      });
    return super.actOnPlan(act);
  }
}
