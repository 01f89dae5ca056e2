import fc from 'fast-check';

/** The gate tries the same examples every time, so that what it says depends on the code alone. PROPERTY_SEED=N tries others. */
fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 1) });
