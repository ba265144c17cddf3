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

/** Counts what a worker has reported of a job of that run. */
status engine_usage_report(struct engine *engine, str run, const Pb__JobReport *report,
                           struct error *reterr);

#endif
