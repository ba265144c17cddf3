#include "gateway/handlers.h"

/* clang-format off */
const struct api_handler api_handlers[] = {
    {"startRun",             runs_start},
    {"listRuns",             runs_list},
    {"getRun",               runs_get},
    {"getRunHistory",        runs_history},
    {"followRun",            runs_follow},
    {"getRunResult",         runs_result},
    {"cancelRun",            runs_cancel},
    {"signalRun",            runs_signal},
    {"listApprovals",        approvals_list},
    {"getApproval",          approvals_get},
    {"approve",              approvals_approve},
    {"reject",               approvals_reject},
    {"listWorkflows",        workflows_list},
    {"putWorkflow",          workflows_put},
    {"validateWorkflow",     workflows_validate},
    {"getWorkflow",          workflows_get},
    {"listWorkflowVersions", workflows_versions},
    {"getWorkflowVersion",   workflows_get_version},
    {"listQueues",           queues_list},
    {"getQueue",             queues_get},
    {"chatCompletions",      llm_chat},
    {"getSystemStatus",      system_status},
    {"getVersion",           system_version},
    {"getHealth",            system_health},
    {"getOpenapi",           system_openapi},
    {},
};
/* clang-format on */
