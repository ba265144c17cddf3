/*
 * rig_rows: what lies in the store of partition 0 of a rig, below all services: to count it, and to
 * damage it.
 */
#ifndef SUPPORT_SCHEDULER_RIG_ROWS_H
#define SUPPORT_SCHEDULER_RIG_ROWS_H

#include "scheduler/tables/tables.h"
#include "store/store.h"
#include "support/scheduler/rig.h"

/** A transaction of one's own; owned. While one writes the scheduler waits. */
struct txn *rig_txn(const struct rig *rig, bool is_write);

uint64_t rig_count_rows(const struct rig *rig, enum table table);

/** Puts `value` there and commits. */
void rig_put_row(const struct rig *rig, enum table table, bytes key, const char *value);

/** All rows whose keys begin like that become `value`. Returns how many. */
size_t rig_spoil_rows(const struct rig *rig, enum table table, bytes prefix, const char *value);

#endif
