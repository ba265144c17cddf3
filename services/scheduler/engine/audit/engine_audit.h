/**
 * engine_audit: what callers changed, and what workers changed outside, is recorded.
 *
 * The record of a command is written in the transaction of the command. In the system partition
 * that is a row of the log (audit_chain.h); elsewhere it is a message to the system partition, one
 * for all commands of a turn, which arrives exactly once (outbox.h). So no command costs a commit
 * of its own for its record, and no crash parts the two.
 *
 * Recorded are commands that say what they are (struct deed), were carried out, and were not
 * carried out before. Those that were refused come from the gateways (COMMAND_NOTE_AUDIT), which
 * know of all other refusals as well. Writes of a tool-adapter come with the report of their job,
 * also if that comes too late: they were made all the same.
 *
 * Texts of users stand in a record only where they are names: no input, no output, no query.
 */
#ifndef SCHEDULER_ENGINE_AUDIT_H
#define SCHEDULER_ENGINE_AUDIT_H

#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** Records a command that has been executed. */
status engine_audit_command(struct engine *engine, const struct command *command,
                            struct error *reterr);

/** Records the writes that a report tells of. */
status engine_audit_report(struct engine *engine, const Pb__JobReport *report,
                           struct error *reterr);

/** COMMAND_NOTE_AUDIT. */
status engine_note_audit(struct engine *engine, struct command *command, struct error *reterr);

/** Of another partition. */
status engine_take_audit(struct engine *engine, const Pb__AuditRecords *records,
                         struct error *reterr);

/** Hands over what this turn has recorded. */
status engine_audit_settle(struct engine *engine, struct error *reterr);

/** Removes old records, now and then; when next: INT64_MAX: never. */
status engine_audit_go_on(struct engine *engine, struct error *reterr);
int64_t engine_audit_due_us(const struct engine *engine);

status engine_audit_recover(struct engine *engine, struct error *reterr);

#endif
