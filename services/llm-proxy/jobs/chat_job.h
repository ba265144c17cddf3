/* What the files of jobs.h share: one job under way, what it asks for, and what it reports. */
#ifndef LLM_PROXY_CHAT_JOB_H
#define LLM_PROXY_CHAT_JOB_H

#include "llm-proxy/call/embed.h"
#include "llm-proxy/jobs/job_repair.h"
#include "llm-proxy/jobs/jobs.h"
#include "workflow/errors.h"

struct chat_job {
    struct pipeline *pipeline;   /* held */
    struct job_outputs *outputs; /* borrowed, or NULL */
    struct worker_job *job;
    struct arena *arena;
    json input; /* the request's texts are views of it */
    struct chat_request *request;
    struct job_repair repair; /* of a chat: asks before this one */
    struct llm_route scratch;
    const struct llm_route *route;
    bool has_one_provider; /* its route */
    bool is_priced;        /* likewise: `price` is known */
    Pb__ModelPrice price;
    int64_t input_tokens;      /* as the scheduler counts them, too */
    int64_t output_room;       /* tokens of the answer that are set aside; -1: any number */
    bool is_drawing;           /* more is asked for, and the call waits */
    bool is_finishing;         /* it has said why it ends */
    struct llm_call *call;     /* of a chat */
    struct embed_call *embed;  /* of embeddings */
    struct job_output *output; /* of a chat that streams */
};

/* Reads what it asks for, and finds its route. What keeps it from being run is reported. */
status job_request_read(struct chat_job *chat);
bool job_is_embedding(const Pb__LeasedJob *leased);

/* Each ends the job: with what was answered, or why not. */
void job_report_answer(struct chat_job *chat, const struct llm_outcome *outcome);
void job_report_vectors(struct chat_job *chat, const struct llm_outcome *outcome);
void job_report_failure(struct chat_job *chat, const struct llm_outcome *ended);
void job_report_cancelled(struct chat_job *chat, const Pb__Usage *used);
void job_report_unpriced(struct chat_job *chat);
void job_report_stopped(struct chat_job *chat, const struct llm_outcome *ended);
void job_report_kind(struct worker_job *job, enum error_kind kind, uint32_t http, str detail,
                     bool is_transient);

#endif
