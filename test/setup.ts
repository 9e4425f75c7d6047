/** Random tests draw the same cases in every run, so that a failure repeats; `SKEP_TEST_SEED=N npm test` and `npm run fuzz` draw others. */
import fc from 'fast-check'
import { tortureSeed } from './torture.ts'

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: tortureSeed() })
