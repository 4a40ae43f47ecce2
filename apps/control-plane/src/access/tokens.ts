/** What Nest's handlers are given by name. */
export const IDENTITY = Symbol('Identity');
