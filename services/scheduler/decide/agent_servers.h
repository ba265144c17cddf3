/**
 * agent_servers: MCP servers among the tools of an agent (run/agent.h). Each is asked for its list
 * once, before the first turn, by a job of its own; from the answers follows what the model is
 * offered, which the event that begins the first turn keeps.
 *
 * A tool `search` of the server `docs` is offered as `docs_search`; characters that no name of a
 * tool may have become `_`. What a server says of its tools is data of a stranger: it reaches the
 * model only. That a call may be repeated is believed of connections that are trusted.
 */
#ifndef SCHEDULER_AGENT_SERVERS_H
#define SCHEDULER_AGENT_SERVERS_H

#include "scheduler/run/agent.h"

enum { AGENT_OFFER_MAX = 512 << 10 /* bytes of all tools, as JSON */ };

/**
 * What an agent whose servers have all answered offers its model: {tools: [as `llm.chat` takes
 * them], origins: [{tool: index in the definition; of a server's tool also name, idempotent?,
 * output_schema?}]}, in the order of the definition. Owned.
 * INVALID_ARGUMENT: a tool that `only` names is not there, two have the same name;
 * RESOURCE_EXHAUSTED: there are more than AGENT_TOOLS_MAX, or AGENT_OFFER_MAX bytes of them.
 */
status agent_offer(const struct run *run, const struct activation *activation, json *ret_offer,
                   struct error *reterr);

#endif
