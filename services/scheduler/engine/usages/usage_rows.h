/**
 * usage_rows: what calls have used, by day, in the partition that heard of it. Part of the engine.
 *
 * A report is counted in the commit that takes it into the journal, so the rows of all partitions
 * say what their journals say. They stay when runs go.
 */
#ifndef SCHEDULER_USAGE_ROWS_H
#define SCHEDULER_USAGE_ROWS_H

#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "usage.pb-c.h"

/** What the attempt has used that a worker reports; NULL: nothing. */
const Pb__Usage *engine_usage_of(const Pb__JobReport *report);

/** Counts what a worker has reported of a job of that run. */
status engine_usage_report(struct engine *engine, str run, const Pb__JobReport *report,
                           struct error *reterr);

/** Command of the system partition: Pb__UsageReport -> Pb__UsageReported: usage of calls that are
 * no jobs. A report whose number is not above the last one of its source changes nothing. */
status engine_count_usage(struct engine *engine, struct command *command, struct error *reterr);

#endif
