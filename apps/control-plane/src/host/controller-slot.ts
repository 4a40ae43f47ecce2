import { CadastreError } from '@cadastre/core';
import type { ControllerPort } from '../controller/ports.js';

/** The controller stands for election under the address of the server that already listens, so for a moment there is none. */
export class ControllerSlot implements ControllerPort {
  private controller: ControllerPort | undefined;

  fill(controller: ControllerPort): void {
    this.controller = controller;
  }

  get active(): boolean {
    return this.controller?.active ?? false;
  }

  readonly report: ControllerPort['report'] = (report) => this.required().report(report);
  readonly pace: ControllerPort['pace'] = (node) => this.required().pace(node);
  readonly suspect: ControllerPort['suspect'] = (by, suspicions) => this.controller?.suspect(by, suspicions);
  readonly changeInSync: ControllerPort['changeInSync'] = async (command) => this.required().changeInSync(command);

  private required(): ControllerPort {
    if (this.controller) return this.controller;
    throw new CadastreError('UNAVAILABLE', 'this replica is starting', { remedy: 'try again' });
  }
}
