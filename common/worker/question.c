#include "worker/question.h"

#include "base/mem.h"

#include <stdlib.h>

/* One on its way; carries its answer to the loop. */
struct question {
    const struct questions *questions;
    void *about;
    question_use_fn *use;
    struct rpc_answer *answer;
};

static void on_loop(void *context)
{
    struct question *question         = context;
    const struct questions *questions = question->questions;
    bool is_stopped                   = !questions->scheduler;
    if (!is_stopped) question->use(questions->context, question->about, question->answer);
    rpc_answer_free(question->answer);
    free(question);
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct question *question = context;
    question->answer          = rpc_answer_keep(answer);
    if (loop_post(question->questions->loop, on_loop, question) == STATUS_OK) return;
    rpc_answer_free(question->answer); /* 65,536 posts wait: the loop is stuck, and so are we */
    free(question);
}

bool question_ask(const struct questions *questions, void *about, struct rpc_request *request,
                  question_use_fn *use)
{
    if (!questions->scheduler) return false;
    struct question *question = mem_new(1, sizeof *question);
    *question           = (struct question){.questions = questions, .about = about, .use = use};
    request->done       = on_answer;
    request->context    = question;
    request->timeout_ms = questions->timeout_ms;
    if (rpc_client_call(questions->scheduler, request, NULL, NULL) == STATUS_OK) return true;
    free(question);
    return false;
}
