/**
 * report_sources: how far the numbered reports of calls that are no jobs are taken. Part of the
 * engine of the system partition.
 *
 * Whoever reports numbers its reports from 1, and says one again until it is answered; each is
 * taken once, in the commit that does what it says. A source that was silent for 90 days is
 * forgotten.
 */
#ifndef SCHEDULER_REPORT_SOURCES_H
#define SCHEDULER_REPORT_SOURCES_H

#include "scheduler/engine/engine_internal.h"

/** Notes a report of `source`, a text of its own among all kinds of reports. `*ret_last`: the last
 * one that was taken before; if that is not below `number`, nothing is noted, and the report is to
 * change nothing. */
status report_source_take(struct engine *engine, str source, uint64_t number, uint64_t *ret_last,
                          struct error *reterr);

#endif
