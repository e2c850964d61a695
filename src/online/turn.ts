/** One turn of the event loop: requests and answers that wait come first. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
