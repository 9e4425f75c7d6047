/** Random tests draw the same cases in every run, so that a failure repeats; `SKEP_TEST_SEED=N npm test` and `npm run fuzz` draw others. */
import fc from 'fast-check'

const seed = Number(process.env.SKEP_TEST_SEED ?? 20_261_120)
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
