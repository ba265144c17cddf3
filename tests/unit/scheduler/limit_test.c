/* Limits within limits, in a partition that asks for permits: they are asked for in one order. */
#include "cmocka.h"

#include "scheduler/engine/jobs/job_queue.h"

#include <stdio.h>

enum { NOW = 1'000'000'000 };

static const struct queue_limits one_at_a_time = {.concurrency = 1};

/* Two jobs of a key that the queue limits, and each of them a call of its own that is limited. */
struct show {
    struct job_queues *queues;
    struct limits *limits;
    struct queue *queue;
    struct limit *outer, *inner[2];
};

/* Each is limited by a name of its own. */
static void add(struct show *show, unsigned number)
{
    static char key[]       = "k";
    static char names[][20] = {"key:one/a/do/0/x:k", "key:one/a/do/1/y:k"};
    struct open_job job     = {
            .queue      = show->queue,
            .line       = job_line_at(show->queues, show->queue, str_from("one/a")),
            .sequence   = number + 1,
            .due_us     = NOW,
            .limit_key  = key,
            .limit_name = names[number],
            .limit_rule = one_at_a_time,
    };
    (void)snprintf(job.id.text, sizeof job.id.text, "01JD00000000000000%08u", number + 1);
    assert_non_null(open_job_add(show->queues, &job, NOW));
}

static bool is_noted(struct limits *limits, const struct limit *wanted)
{
    bool is_found = false;
    struct limit *limit;
    limits_note_watched(limits);
    while ((limit = limits_take_changed(limits))) is_found |= limit == wanted;
    return is_found;
}

static struct show show_begin(void)
{
    struct show show = {.queues = job_queues_new(false, 3)};
    show.limits      = job_queues_limits(show.queues);
    show.queue       = job_queue_at(show.queues, (str){}, str_from("tools"));
    queue_limit_keys(show.queues, show.queue, &one_at_a_time, NOW);
    for (unsigned i = 0; i < ARRAY_LEN(show.inner); i++) add(&show, i);
    show.outer    = limits_find(show.limits, str_from("queue:one/tools:k"));
    show.inner[0] = limits_find(show.limits, str_from("key:one/a/do/0/x:k"));
    show.inner[1] = limits_find(show.limits, str_from("key:one/a/do/1/y:k"));
    assert_true(show.outer && show.inner[0] && show.inner[1]);
    return show;
}

/* Who had a permit of the inner limit, and lacked one of the outer, would wait for a partition that
 * has it the other way round: each would give up, and ask again, at the same times for ever. */
static void test_outer_permits_come_first(void **)
{
    struct show show = show_begin();
    assert_int_equal(limit_usable(show.outer), 2);
    assert_int_equal(limit_usable(show.inner[0]), 0);
    limits_watch(show.limits, show.outer);
    limits_watch(show.limits, show.inner[0]);
    limits_watch(show.limits, show.inner[1]);
    assert_false(show.outer->is_watched);
    assert_true(show.inner[0]->is_watched);
    (void)is_noted(show.limits, NULL);

    limit_receive(show.limits, show.outer, 1);
    assert_true(limits_have_changed(show.limits));
    assert_true(is_noted(show.limits, show.inner[0]));
    assert_int_equal(limit_usable(show.inner[0]), 1);
    assert_int_equal(limit_usable(show.inner[1]), 1); /* one of both will have it */
    assert_null(queue_peek(show.queue));
    limit_receive(show.limits, show.inner[1], 1);
    struct open_job *job = queue_peek(show.queue);
    assert_non_null(job);
    open_job_lease(show.queues, job, NULL, 1'000, NOW, 0);
    assert_true(is_noted(show.limits, show.inner[0])); /* the outer one is used */
    assert_int_equal(limit_usable(show.inner[0]), 0);
    assert_int_equal(limit_usable(show.outer), 1);
    job_queues_free(show.queues);
}

/* What nobody waits for is not watched. */
static void test_nobody_waits(void **)
{
    struct show show = show_begin();
    limits_watch(show.limits, show.inner[0]);
    limits_watch(show.limits, show.inner[1]);
    open_job_remove(show.queues,
                    open_job_find(show.queues, str_from("01JD0000000000000000000001")));
    limits_watch(show.limits, show.inner[0]);
    assert_false(show.inner[0]->is_watched);
    assert_int_equal(limit_usable(show.inner[0]), 0);
    (void)is_noted(show.limits, NULL);
    limit_receive(show.limits, show.outer, 1);
    assert_false(is_noted(show.limits, show.inner[0]));
    limit_receive(show.limits, show.outer, 1);
    (void)is_noted(show.limits, NULL);
    assert_false(limits_have_changed(show.limits));
    job_queues_free(show.queues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outer_permits_come_first),
        cmocka_unit_test(test_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
