/* Examples must be playable: an action whose example breaks is an action that breaks. */
#include "adapter/example.h"
#include "adapter/manifest_internal.h"

enum { PLAY_MAX = 32 << 20 /* bytes */ };

static void check_one(struct reading *reading, const struct manifest_action *action,
                      struct arena *arena)
{
    CLEANUP(json_unrefp) json played = json_invalid();
    struct error error               = {};
    if (example_play(action, json_invalid(), arena, &played, &error) == STATUS_OK) return;
    size_t back = reading_enter(reading, "example");
    (void)reading_refuse(reading, "M07", "the example does not work: %s", error.text);
    reading_leave(reading, back);
}

void examples_check(struct reading *reading)
{
    const struct manifest *manifest          = reading->manifest;
    CLEANUP(arena_freep) struct arena *arena = arena_new(PLAY_MAX);
    size_t back                              = reading_enter(reading, "actions");
    for (size_t i = 0; i < manifest->action_count; i++) {
        const struct manifest_action *action = &manifest->actions[i];
        size_t of_one                        = reading_enter(reading, action->name);
        arena_clear(arena);
        check_one(reading, action, arena);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}
