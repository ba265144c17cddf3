/* Commands about something that went away after its caller had seen it: each is refused, none stops
 * the engine. */
#include "cmocka.h"

#include "approval.pb-c.h"
#include "assistant.pb-c.h"
#include "budget.pb-c.h"
#include "dead_letter.pb-c.h"
#include "job.pb-c.h"
#include "run.pb-c.h"
#include "schedule.pb-c.h"
#include "stage/stage.h"
#include "subscription.pb-c.h"
#include "workflow.pb-c.h"

#define START_US INT64_C(1'795'341'600'000'000)

/* Of partition 0; nothing has it. */
static const char absent[] = "01M81B5V0G000000000XAQKJ5C";

struct row {
    const char *name;
    enum command_kind kind;
    const ProtobufCMessageDescriptor *request, *response;
};

static const struct row rows[] = {
    {"retry", COMMAND_RETRY, &pb__retry_run__descriptor, &pb__run_view__descriptor},
    {"cancel", COMMAND_CANCEL, &pb__cancel_run__descriptor, &pb__run_view__descriptor},
    {"terminate", COMMAND_TERMINATE, &pb__stop_run__descriptor, &pb__run_view__descriptor},
    {"pause", COMMAND_SUSPEND, &pb__stop_run__descriptor, &pb__run_view__descriptor},
    {"resume", COMMAND_RESUME, &pb__stop_run__descriptor, &pb__run_view__descriptor},
    {"compensate", COMMAND_COMPENSATE, &pb__stop_run__descriptor, &pb__run_view__descriptor},
    {"reset", COMMAND_RESET, &pb__reset_run__descriptor, &pb__started_run__descriptor},
    {"edit a draft", COMMAND_EDIT_RUN, &pb__edit_run__descriptor, &pb__run_view__descriptor},
    {"approve a draft", COMMAND_APPROVE_RUN, &pb__approve_run__descriptor,
     &pb__run_view__descriptor},
    {"fail", COMMAND_FAIL_RUN, &pb__fail_run__descriptor, &pb__run_view__descriptor},
    {"erase", COMMAND_ERASE_RUN, &pb__erase_run__descriptor, &pb__run_view__descriptor},
    {"set a variable", COMMAND_SET_VARIABLE, &pb__set_run_variable__descriptor,
     &pb__run_variables__descriptor},
    {"delete", COMMAND_DELETE_RUN, &pb__delete_run__descriptor, &pb__deleted_run__descriptor},
    {"signal", COMMAND_SIGNAL, &pb__signal_run__descriptor, &pb__signalled_run__descriptor},
    {"decide", COMMAND_DECIDE, &pb__decide_approval__descriptor, &pb__approval_view__descriptor},
    {"edit an approval", COMMAND_EDIT, &pb__edit_approval__descriptor,
     &pb__approval_view__descriptor},
    {"unsubscribe", COMMAND_UNSUBSCRIBE, &pb__delete_subscription__descriptor,
     &pb__subscription_gone__descriptor},
    {"cancel a job", COMMAND_CANCEL_JOB, &pb__cancel_job__descriptor,
     &pb__cancelled_job__descriptor},
    {"redrive", COMMAND_REDRIVE, &pb__redrive_dead_letter__descriptor,
     &pb__redriven_dead_letter__descriptor},
    {"drop a letter", COMMAND_DROP_LETTER, &pb__drop_dead_letter__descriptor,
     &pb__dropped_dead_letter__descriptor},
    {"pause a schedule", COMMAND_PAUSE_SCHEDULE, &pb__pause_schedule__descriptor,
     &pb__schedule_view__descriptor},
    {"trigger a schedule", COMMAND_TRIGGER_SCHEDULE, &pb__trigger_schedule__descriptor,
     &pb__triggered_schedule__descriptor},
    {"backfill a schedule", COMMAND_BACKFILL_SCHEDULE, &pb__backfill_schedule__descriptor,
     &pb__backfilled_schedule__descriptor},
    {"delete a schedule", COMMAND_DELETE_SCHEDULE, &pb__delete_schedule__descriptor,
     &pb__deleted_schedule__descriptor},
    {"retire a workflow", COMMAND_DELETE_WORKFLOW, &pb__workflow_version__descriptor,
     &pb__deleted_workflow__descriptor},
    {"delete a budget", COMMAND_DELETE_BUDGET, &pb__delete_budget__descriptor,
     &pb__deleted_budget__descriptor},
    {"delete an assistant", COMMAND_DELETE_ASSISTANT, &pb__delete_assistant_version__descriptor,
     &pb__assistant_view__descriptor},
};

/* --- a call that knows a message only by its descriptor -----------------------------------------
 */

static void set_text(void *message, const ProtobufCMessageDescriptor *descriptor, const char *field)
{
    const ProtobufCFieldDescriptor *found =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, field);
    if (!found || found->type != PROTOBUF_C_TYPE_STRING) return;
    const char *value = absent;
    memcpy((char *)message + found->offset, &value, sizeof value);
}

static void *message_new(struct stage_call *call, const ProtobufCMessageDescriptor *descriptor)
{
    void *message = stage_call_alloc(call, descriptor->sizeof_message);
    descriptor->message_init(message);
    return message;
}

static struct stage_call *call_new(const struct row *row)
{
    static const char *const names[] = {"id", "job", "queue", "name", "version"};
    struct stage_call *call          = stage_call_new(row->kind, 2);
    void *request                    = message_new(call, row->request);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        set_text(request, row->request, names[i]);
    }
    call->command.request   = request;
    call->command.response  = message_new(call, row->response);
    call->command.namespace = str_from("test");
    memcpy(call->command.run.text, absent, sizeof absent);
    return call;
}

static void is_refused(void **state)
{
    const struct row *row                     = *state;
    const struct stage_options options        = {.partitions = 1, .seed = 7, .now_us = START_US};
    CLEANUP(stage_closep) struct stage *stage = NULL;
    struct error error                        = {};
    assert_int_equal(stage_open(&options, &stage, &error), STATUS_OK);
    CLEANUP(stage_call_freep) struct stage_call *call  = call_new(row);
    CLEANUP(stage_call_freep) struct stage_call *again = call_new(row);
    call->command.request_id                           = str_from("r1");
    again->command.request_id                          = str_from("r1");
    assert_int_equal(stage_ask(stage, 0, call, &error), STATUS_NOT_FOUND);
    assert_int_equal(stage_ask(stage, 0, again, &error), STATUS_NOT_FOUND);
    assert_false(stage_has_failed(stage));
}

int main(void)
{
    enum { COUNT = sizeof rows / sizeof rows[0] };
    struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        tests[i] = (struct CMUnitTest){.name          = rows[i].name,
                                       .test_func     = is_refused,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
