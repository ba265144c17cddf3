/**
 * peer_jobs: `call: mcp` and `call: a2a` of the workflow language, from the job's arguments to its
 * report.
 *
 *   mcp  {method, transport: {http: {endpoint: {uri, authentication?}, headers?}} |
 *                            {stdio: {command, arguments?}},
 *         parameters?, protocolVersion?, timeout?, client?: {name, version}}; the transport
 *        may have options: {input}
 *   a2a  {method, server: {uri, authentication?} | agentCard: {endpoint: …}, parameters?}
 *
 * The output is the result of JSON-RPC; of a list of MCP with all its pages, of a method of A2A
 * that streams an array of what came. A tool's result that calls itself an error is one, of type
 * `runtime`, whose detail is what the tool says.
 *
 * Threads: belongs to the worker's loop.
 */
#ifndef TOOL_ADAPTER_PEER_JOBS_H
#define TOOL_ADAPTER_PEER_JOBS_H

#include "tool-adapter/call/measures.h"
#include "tool-adapter/http/api_documents.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_stdio.h"
#include "worker/worker.h"

struct peer_jobs;

/** All borrowed. */
struct peer_jobs_options {
    const uint8_t *audit_key; /* as of struct writes_of; borrowed */
    struct http_client *http;
    struct loop *loop;
    struct tokens *tokens;
    struct api_documents *documents; /* where cards of agents are kept */
    struct mcp_client *mcp;
    struct mcp_stdio *stdio;
    struct measures *measures;
};

struct peer_jobs *peer_jobs_new(const struct peer_jobs_options *options); /* owned */
void peer_jobs_freep(struct peer_jobs **jobs);

bool peer_jobs_take(const Pb__LeasedJob *leased);
void peer_jobs_run(struct peer_jobs *jobs, struct worker_job *job);
void peer_jobs_cancel(struct peer_jobs *jobs, struct worker_job *job);

#endif
