/** snapshot_agent: an agent within the snapshot of its task. */
#ifndef SCHEDULER_SNAPSHOT_AGENT_H
#define SCHEDULER_SNAPSHOT_AGENT_H

#include "scheduler/run/agent.h"
#include "scheduler/run/wire.h"

/* Fields of RunActivation. */
enum { ACTIVATION_AGENT = 170, ACTIVATION_MESSAGE = 171 };

/** Appends both fields; nothing if there is no agent. Each message is a value of its own, so that
 * those that were stored stay where they are. */
status agent_put(struct wire_writer *writer, const struct agent *agent, struct buf *scratch,
                 struct error *reterr);

/** Says whether the field at hand is one of the two. */
bool agent_is_field(const struct wire_reader *field);
status agent_read(struct activation *activation, const struct wire_reader *field,
                  struct error *reterr);

#endif
