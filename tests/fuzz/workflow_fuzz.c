/* Any bytes as a definition: a workflow whose references lead back to its tasks and whose source
 * reads back, or findings with a place. */
#include "base/arena.h"
#include "base/assert.h"
#include "workflow/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 16 << 20 /* bytes */ };

static void check_findings(const struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        ASSERT(list->items[i].line >= 1);
        ASSERT(list->items[i].column >= 1);
        ASSERT(list->items[i].detail[0] != '\0');
        ASSERT(list->items[i].code[0] == 'V' || list->items[i].code[0] == 'P');
    }
}

static void check_list(const struct workflow *workflow, const struct task_list *tasks,
                       task_index parent)
{
    for (uint32_t i = 0; i < tasks->count; i++) {
        ASSERT(tasks->tasks[i] < workflow->task_count);
        const struct task *task = &workflow->tasks[tasks->tasks[i]];
        ASSERT(task->parent == parent);
        ASSERT(task->position == i);
        ASSERT(task->then.kind != FLOW_GOTO || task->then.position < tasks->count);
        ASSERT(workflow_task_at(workflow, str_from(task->reference)) == task);
    }
}

static void check_tree(const struct workflow *workflow)
{
    check_list(workflow, &workflow->root, TASK_NONE);
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *task = &workflow->tasks[i];
        ASSERT(task->index == i);
        switch (task->kind) {
        case TASK_DO: check_list(workflow, &task->list, i); break;
        case TASK_FOR: check_list(workflow, &task->loop.body, i); break;
        case TASK_FORK: check_list(workflow, &task->fork.branches, i); break;
        case TASK_TRY:
            check_list(workflow, &task->try_.body, i);
            check_list(workflow, &task->try_.handler, i);
            break;
        case TASK_AGENT: check_list(workflow, &task->agent.tasks, i); break;
        case TASK_CALL: ASSERT(task->call.function); break;
        case TASK_FUNCTION: check_list(workflow, &task->call.body, i); break;
        case TASK_EXTENSION:
            check_list(workflow, &task->extension.before, i);
            check_list(workflow, &task->extension.after, i);
            ASSERT(task->extension.body.count == 1); /* its `then` is for the list around */
            ASSERT(workflow->tasks[task->extension.body.tasks[0]].parent == i);
            ASSERT(workflow->tasks[task->extension.body.tasks[0]].position == 0);
            break;
        case TASK_SET: ASSERT(task->set); break;
        case TASK_EMIT: ASSERT(task->emit); break;
        case TASK_RUN: ASSERT(task->run.namespace_ && task->run.name && task->run.version); break;
        case TASK_LISTEN:
        case TASK_RAISE:
        case TASK_SWITCH:
        case TASK_WAIT: break;
        }
    }
}

static const struct workflow *read_text(struct arena *arena, str text)
{
    struct diagnostics *list              = diagnostics_new(arena);
    const struct workflow *workflow       = NULL;
    const struct workflow_sources sources = {.is_portable = true};
    if (workflow_read_with(text, &sources, list, &workflow, NULL) != STATUS_OK) {
        ASSERT(list->errors > 0);
        ASSERT(!workflow);
    } else {
        ASSERT(list->errors == 0);
        check_tree(workflow);
    }
    check_findings(list);
    return workflow;
}

/* Every workflow has a graph in every format; a buffer that is too small is an answer as well. */
static void check_graphs(const struct workflow *workflow)
{
    for (enum graph_format format = 0; format < GRAPH_FORMAT_COUNT; format++) {
        CLEANUP(buf_done) struct buf out = buf_init(GRAPH_SIZE_MAX);
        status code                      = graph_print(workflow, format, NULL, &out, NULL);
        ASSERT(code == STATUS_OK || code == STATUS_RESOURCE_EXHAUSTED);
        ASSERT(out.len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow =
        read_text(arena, (str){.ptr = (const char *)data, .len = size});
    if (!workflow) return 0;
    check_graphs(workflow);

    CLEANUP(json_unrefp) json source = workflow_source_new(workflow);
    if (json_str(source).len > (512 << 10)) return 0; /* aliases expanded beyond what is read */
    CLEANUP(workflow_unrefp) const struct workflow *again = read_text(arena, json_str(source));
    ASSERT(again);
    ASSERT(memcmp(again->digest, workflow->digest, SHA256_SIZE) == 0);
    return 0;
}
