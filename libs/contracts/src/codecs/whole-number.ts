import { invalid } from '@cadastre/core';

/**
 * The wire's whole numbers would cut 2.5 to 2 and turn -1 into four billion, both in silence.
 * @throws CadastreError INVALID_ARGUMENT naming the count that the wire cannot carry
 */
export const wholeNumber = (field: string, value: number): number => {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw invalid(field, `${value} is no count`, 'give a whole number', '0 to 4294967295');
};
