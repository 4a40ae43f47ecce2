import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import './dashboard.css';
import './model/come-back.js';
import { App } from './app.js';
import { refreshSession } from './model/acts.js';
import { session } from './model/store.js';

const RETRY_MS = 2_000;

const begin = (): void => {
  refreshSession().catch(() => {
    if (!session.value) setTimeout(begin, RETRY_MS);
  });
};

render(<App />, document.getElementById('root')!);
begin();
