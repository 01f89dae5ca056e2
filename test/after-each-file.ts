import { stopLoads } from '@reactor/testkit';

/** All real tests share one process, and what one of them leaves running would disturb the next. */
afterAll(stopLoads, 30_000);
