import { comeBack } from './journey.js';

// Before anything reads the address.
comeBack();
