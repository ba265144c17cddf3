#include "rpc/contract.h"

#include "base/attr.h"

#include <string.h>

/* clang-format off */
enum {
    EDGE     = RPC_BY_GATEWAY | RPC_BY_CLI,
    INSIDE   = RPC_BY_GATEWAY | RPC_BY_CLI | RPC_BY_SCHEDULER,
    WORKER   = RPC_BY_GATEWAY | RPC_BY_WORKER, /* the gateway leases for workers over HTTP */
    EVERYONE = RPC_BY_ALL,
};

static const struct rpc_contract_method health_methods[] = {
    {"Check",   RPC_FAST, true, EVERYONE},
    {"Methods", RPC_FAST, true, EVERYONE},
    {},
};

static const struct rpc_contract_method transport_methods[] = {
    {"Cancel", RPC_FAST, true, EVERYONE},
    {},
};

static const struct rpc_contract_method run_methods[] = {
    {"Start",   RPC_COMMIT, false, INSIDE},
    {"Get",     RPC_FAST,   true,  INSIDE},
    {"List",    RPC_LONG,   true,  INSIDE},
    {"History", RPC_LONG,   true,  INSIDE},
    {"Cancel",  RPC_COMMIT, false, INSIDE},
    {"Terminate", RPC_COMMIT, false, INSIDE},
    {"Suspend", RPC_COMMIT, true,  INSIDE},
    {"Resume",  RPC_COMMIT, false, INSIDE},
    {"Retry",   RPC_COMMIT, false, INSIDE},
    {"Fail",    RPC_COMMIT, false, INSIDE},
    {"Signal",  RPC_COMMIT, false, INSIDE},
    {"Pull",    RPC_LONG,   true,  EDGE},
    {"Tasks",   RPC_LONG,   true,  INSIDE},
    {"Variables", RPC_FAST, true,  INSIDE},
    {"SetVariable", RPC_COMMIT, false, INSIDE},
    {"Edit",    RPC_COMMIT, false, INSIDE},
    {"Approve", RPC_COMMIT, false, INSIDE},
    {"Compensate", RPC_COMMIT, false, INSIDE},
    {"Reset",   RPC_COMMIT, false, INSIDE},
    {"Erase",   RPC_COMMIT, true,  INSIDE},
    {"Delete",  RPC_COMMIT, true,  INSIDE},
    {"Export",  RPC_LONG,   true,  INSIDE},
    {"Import",  RPC_COMMIT, true,  INSIDE},
    {"Bulk",    RPC_COMMIT, false, INSIDE},
    {"Operation", RPC_FAST, true,  INSIDE},
    {},
};

static const struct rpc_contract_method job_methods[] = {
    {"Lease",     RPC_LONG,   false, WORKER}, /* a repetition would lease others as well */
    {"Heartbeat", RPC_COMMIT, true,  WORKER},
    {"Report",    RPC_COMMIT, false, WORKER},
    {"Get",       RPC_FAST,   true,  EDGE},
    {"Cancel",    RPC_COMMIT, false, EDGE},
    {},
};

static const struct rpc_contract_method workflow_methods[] = {
    {"Put",      RPC_COMMIT, false, INSIDE},
    {"Validate", RPC_LONG,   true,  INSIDE},
    {"Get",      RPC_FAST,   true,  INSIDE},
    {"List",     RPC_LONG,   true,  INSIDE},
    {"Graph",    RPC_LONG,   true,  INSIDE},
    {"InUse",    RPC_LONG,   true,  INSIDE},
    {"Delete",   RPC_COMMIT, false, INSIDE},
    {},
};

static const struct rpc_contract_method approval_methods[] = {
    {"List",   RPC_LONG,   true,  EDGE},
    {"Get",    RPC_FAST,   true,  EDGE},
    {"Decide", RPC_COMMIT, false, EDGE},
    {"Edit",   RPC_COMMIT, false, EDGE},
    {},
};

static const struct rpc_contract_method system_methods[] = {
    {"Status",    RPC_FAST,   true, EVERYONE},
    {"Queues",    RPC_FAST,   true, EDGE},
    {"ChangeQueue", RPC_COMMIT, false, EDGE}, /* a purge that comes again takes more */
    {"LookupKey", RPC_FAST,   true, EDGE},
    {"PutKey",    RPC_COMMIT, true, EDGE},
    {"Topology",  RPC_FAST,   true, EVERYONE},
    {"Secrets",   RPC_FAST,   true, EDGE},
    {"CreateBackup", RPC_FAST, false, EDGE},
    {"Backups",   RPC_FAST,   true, EDGE},
    {"DrainWorker", RPC_COMMIT, false, EDGE},
    {},
};

static const struct rpc_contract_method subscription_methods[] = {
    {"Create", RPC_COMMIT, false, EDGE},
    {"List",   RPC_FAST,   true,  EDGE},
    {"Delete", RPC_COMMIT, true,  EDGE},
    {},
};

static const struct rpc_contract_method schedule_methods[] = {
    {"Put",      RPC_COMMIT, false, EDGE},
    {"Get",      RPC_FAST,   true,  EDGE},
    {"List",     RPC_LONG,   true,  EDGE},
    {"Upcoming", RPC_FAST,   true,  EDGE},
    {"Pause",    RPC_COMMIT, true,  EDGE},
    {"Trigger",  RPC_COMMIT, false, EDGE},
    {"Backfill", RPC_COMMIT, true,  EDGE}, /* a time starts once */
    {"Delete",   RPC_COMMIT, false, EDGE},
    {},
};

static const struct rpc_contract_method event_methods[] = {
    {"Publish", RPC_COMMIT, true, INSIDE}, /* what came before is a duplicate */
    {},
};

static const struct rpc_contract_method llm_methods[] = {
    {"Open",       RPC_FAST, false, WORKER | RPC_BY_CLI},
    {"Pull",       RPC_LONG, true,  WORKER | RPC_BY_CLI}, /* names the last answer it has seen */
    {"Resume",     RPC_FAST, true,  EDGE},
    {"Cancel",     RPC_FAST, true,  WORKER | RPC_BY_CLI},
    {"ListModels", RPC_FAST, true,  EDGE},
    {"ListProviders", RPC_FAST, true, EDGE},
    {"Attach",     RPC_FAST, true,  EDGE}, /* once more is one reader more, who is forgotten */
    {"TestProvider", RPC_LONG, true, EDGE},
    {"SealKey",    RPC_FAST, true,  RPC_BY_GATEWAY},
    {},
};

static const struct rpc_contract_method provider_key_methods[] = {
    {"Put",    RPC_COMMIT, true, RPC_BY_GATEWAY},
    {"Delete", RPC_COMMIT, true, RPC_BY_GATEWAY},
    {"List",   RPC_FAST,   true, RPC_BY_WORKER}, /* sealed */
    {},
};

/* Workers of another kind have no business there, and nothing to win: they know no digest. */
static const struct rpc_contract_method peer_methods[] = {
    {"Lookup",   RPC_LONG, true, RPC_BY_WORKER},
    {"VaultGet", RPC_LONG, true, RPC_BY_WORKER},
    {},
};

static const struct rpc_contract_method function_methods[] = {
    {"Put",  RPC_COMMIT, true, RPC_BY_WORKER},
    {"List", RPC_LONG,   true, EDGE},
    {},
};

static const struct rpc_contract_method assistant_methods[] = {
    {"Put",           RPC_COMMIT, false, EDGE},
    {"Get",           RPC_FAST,   true,  EDGE},
    {"List",          RPC_LONG,   true,  EDGE},
    {"Versions",      RPC_LONG,   true,  EDGE},
    {"DeleteVersion", RPC_COMMIT, false, EDGE},
    {"Render",        RPC_FAST,   true,  EDGE},
    {"Apply",         RPC_FAST,   true,  EDGE},
    {},
};

static const struct rpc_contract_method file_methods[] = {
    {"Begin",  RPC_COMMIT, false, EDGE | RPC_BY_WORKER},
    {"Append", RPC_COMMIT, true,  EDGE | RPC_BY_WORKER}, /* pieces have numbers */
    {"Get",    RPC_FAST,   true,  EDGE | RPC_BY_WORKER},
    {"List",   RPC_LONG,   true,  EDGE},
    {"Read",   RPC_LONG,   true,  EDGE | RPC_BY_WORKER},
    {"Delete", RPC_COMMIT, false, EDGE},
    {},
};

static const struct rpc_contract_method dead_letter_methods[] = {
    {"List",       RPC_LONG,   true,  EDGE},
    {"Redrive",    RPC_COMMIT, false, EDGE},
    {"Drop",       RPC_COMMIT, false, EDGE},
    {"RedriveAll", RPC_LONG,   false, EDGE},
    {},
};

static const struct rpc_contract_method document_methods[] = {
    {"Fetch", RPC_LONG, true, EDGE},
    {},
};

static const struct rpc_contract_method tool_methods[] = {
    {"List",   RPC_LONG, true,  EDGE},
    {"Invoke", RPC_LONG, false, EDGE},
    {"Render", RPC_LONG, true,  EDGE},
    {"TestConnection", RPC_LONG, true, EDGE},
    {},
};

static const struct rpc_contract_method breaker_methods[] = {
    {"List",   RPC_LONG,   true,  EDGE | RPC_BY_WORKER},
    {"Set",    RPC_COMMIT, true,  EDGE},
    {"Report", RPC_COMMIT, false, RPC_BY_WORKER},
    {},
};

static const struct rpc_contract_method limit_methods[] = {
    {"List",  RPC_LONG,   true,  EDGE | RPC_BY_WORKER},
    {"Set",   RPC_COMMIT, true,  EDGE},
    {"Lease", RPC_COMMIT, false, RPC_BY_WORKER},
    {"Pass",  RPC_COMMIT, false, RPC_BY_GATEWAY},
    {"Hold",  RPC_COMMIT, true,  RPC_BY_GATEWAY},
    {},
};

static const struct rpc_contract_method budget_methods[] = {
    {"Put",     RPC_COMMIT, true,  EDGE},
    {"Get",     RPC_FAST,   true,  EDGE},
    {"List",    RPC_FAST,   true,  EDGE | RPC_BY_WORKER},
    {"Delete",  RPC_COMMIT, false, EDGE},
    {"Reserve", RPC_COMMIT, true,  RPC_BY_WORKER},
    {"Settle",  RPC_COMMIT, true,  RPC_BY_WORKER},
    {"Admit",   RPC_COMMIT, true, RPC_BY_WORKER},
    {},
};

static const struct rpc_contract_method key_methods[] = {
    {"Create", RPC_COMMIT, false, EDGE},
    {"Get",    RPC_FAST,   true,  EDGE},
    {"List",   RPC_LONG,   true,  EDGE},
    {"Rotate", RPC_COMMIT, false, EDGE},
    {"Revoke", RPC_COMMIT, true,  EDGE},
    {"Used",   RPC_COMMIT, true,  RPC_BY_GATEWAY},
    {},
};

static const struct rpc_contract_method usage_methods[] = {
    {"Sum",    RPC_LONG,   true, EDGE},
    {"Report", RPC_COMMIT, true, RPC_BY_WORKER}, /* reports have numbers */
    {},
};

static const struct rpc_contract_method call_cache_methods[] = {
    {"Stats", RPC_FAST,   true,  EDGE},
    {"Clear", RPC_COMMIT, false, EDGE},
    {},
};

static const struct rpc_contract_method audit_methods[] = {
    {"Note",   RPC_COMMIT, false, RPC_BY_GATEWAY},
    {"List",   RPC_LONG,   true,  EDGE},
    {"Verify", RPC_LONG,   true,  EDGE},
    {},
};

static const struct rpc_contract_method partition_methods[] = {
    {"Deliver", RPC_COMMIT, true, RPC_BY_SCHEDULER}, /* messages have numbers */
    {},
};

const struct rpc_contract_service rpc_contract[] = {
    {"tutti.v1.Health",    1, health_methods},
    {"tutti.v1.Transport", 2, transport_methods},
    {"tutti.v1.Runs",      3, run_methods},
    {"tutti.v1.Jobs",      4, job_methods},
    {"tutti.v1.Workflows", 5, workflow_methods},
    {"tutti.v1.Approvals", 6, approval_methods},
    {"tutti.v1.System",    7, system_methods},
    {"tutti.v1.Llm",       8, llm_methods},
    {"tutti.v1.Functions", 9, function_methods},
    {"tutti.v1.LlmPeers", 28, peer_methods},
    {"tutti.v1.Assistants", 11, assistant_methods},
    {"tutti.v1.Files",    12, file_methods},
    {"tutti.v1.Events",   43, event_methods},
    {"tutti.v1.Subscriptions", 44, subscription_methods},
    {"tutti.v1.Schedules", 45, schedule_methods},
    {"tutti.v1.DeadLetters", 50, dead_letter_methods},
    {"tutti.v1.Documents", 61, document_methods},
    {"tutti.v1.Tools", 27, tool_methods},
    {"tutti.v1.Breakers", 13, breaker_methods},
    {"tutti.v1.Limits", 24, limit_methods},
    {"tutti.v1.CallCache", 51, call_cache_methods},
    {"tutti.v1.Budgets", 15, budget_methods},
    {"tutti.v1.Keys", 16, key_methods},
    {"tutti.v1.Usages", 17, usage_methods},
    {"tutti.v1.Partitions", 14, partition_methods},
    {"tutti.v1.Audits", 29, audit_methods},
    {"tutti.v1.ProviderKeys", 30, provider_key_methods},
    {},
};

static const struct {
    const char *service;
    unsigned kind;
} caller_kinds[] = {
    {"gateway",      RPC_BY_GATEWAY},
    {"tool-adapter", RPC_BY_WORKER},
    {"llm-proxy",    RPC_BY_WORKER},
    {"scheduler",    RPC_BY_SCHEDULER},
    {"cli",          RPC_BY_CLI},
};
/* clang-format on */

const struct rpc_contract_service *rpc_contract_service(const struct rpc_contract_service *contract,
                                                        const char *name)
{
    for (; contract->name; contract++) {
        if (strcmp(contract->name, name) == 0) return contract;
    }
    return NULL;
}

const struct rpc_contract_method *rpc_contract_method(const struct rpc_contract_service *service,
                                                      const char *name)
{
    for (const struct rpc_contract_method *method = service->methods; method->name; method++) {
        if (strcmp(method->name, name) == 0) return method;
    }
    return NULL;
}

const char *rpc_class_name(enum rpc_class class)
{
    switch (class) {
    case RPC_FAST: return "fast";
    case RPC_COMMIT: return "commit";
    case RPC_LONG: return "long";
    case RPC_BULK: return "bulk";
    }
    return "unknown";
}

unsigned rpc_caller_kind(const char *service)
{
    for (size_t i = 0; i < ARRAY_LEN(caller_kinds); i++) {
        if (strcmp(caller_kinds[i].service, service) == 0) return caller_kinds[i].kind;
    }
    return 0;
}
