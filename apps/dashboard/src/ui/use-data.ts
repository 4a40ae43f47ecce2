import { useEffect, useState } from 'preact/hooks';

export interface Loaded<T> {
  readonly data?: T;
  readonly error?: string;
}

/** Loads when the key changes. What was loaded stays until the new is there, also when that fails. */
export const useData = <T>(key: string, load: () => Promise<T>): Loaded<T> => {
  const [found, setFound] = useState<Loaded<T>>({});
  useEffect(() => {
    let isCurrent = true;
    load().then(
      (data) => isCurrent && setFound({ data }),
      (error: Error) => isCurrent && setFound((old) => ({ ...old, error: error.message })),
    );
    return () => {
      isCurrent = false;
    };
  }, [key]);
  return found;
};
