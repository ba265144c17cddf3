/** schedule_spec: what a caller says of a schedule, read from JSON. */
#ifndef SCHEDULER_SCHEDULE_SPEC_H
#define SCHEDULER_SCHEDULE_SPEC_H

#include "base/diagnostic.h"
#include "schedule.pb-c.h"
#include "json/json.h"

/** Reads the members of `value` into `ret_spec` and `ret_paused`; texts live as long as `arena`,
 * which is that of `list`. Every fault is a finding with its pointer. `now_us`: `at` must come
 * after it; 0: any will do. False: there are findings. */
bool schedule_spec_read(json value, int64_t now_us, struct arena *arena, struct diagnostics *list,
                        Pb__ScheduleSpec *ret_spec, bool *ret_paused);

#endif
