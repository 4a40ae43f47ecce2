import { CallMeter } from '@cadastre/contracts';
import type { Emit } from '@cadastre/runtime';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What is counted as it happens. Everything else is looked up when somebody asks. */
export class ControlPlaneMeters {
  readonly calls = new CallMeter();
  electionsWon = 0;
  failovers = 0;
  declaredDead = 0;
  private readonly http = new Map<string, number>();

  /** @param method as the caller wrote it; unknown ones are one, so that nobody makes new series */
  onHttp(method: string, status: number): void {
    const key = `${METHODS.includes(method) ? method : 'other'} ${status}`;
    this.http.set(key, (this.http.get(key) ?? 0) + 1);
  }

  readonly httpRequests = (emit: Emit): void => {
    for (const [key, count] of this.http) {
      const [method, code] = key.split(' ') as [string, string];
      emit(count, method, code);
    }
  };
}
