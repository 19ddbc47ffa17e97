/** Whether this is the one-file page, which has no server. */
declare const __OFFLINE__: boolean;
