#!/usr/bin/env node
// kubectl finds plugins by this name: `kubectl cadastre status`.
import '../dist/index.js';
