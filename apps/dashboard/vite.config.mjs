import { preact } from '@preact/preset-vite';
import { defineConfig } from 'vite';

// The page's policy (rest/guards.ts of the control plane) allows nothing inline and no data: address.
export default defineConfig({
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false })],
  build: {
    outDir: '../control-plane/dist/page',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    reportCompressedSize: false,
  },
});
