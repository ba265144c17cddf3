/** play_case: plays one case on a stage and looks at what came of it. */
#ifndef CLI_TEST_PLAY_CASE_H
#define CLI_TEST_PLAY_CASE_H

#include "cli/test/outcome.h"
#include "workflow/workflow.h"

/** What the cases of a file share. Borrowed. */
struct scenery {
    const struct case_file *file;
    const struct workflow *workflow;      /* that is tested */
    const struct workflow *const *others; /* its child runs' */
    size_t other_count;
};

/** Fills in `outcome`, which is zeroed. */
void case_play(const struct scenery *scenery, const struct test_case *test,
               struct outcome *outcome);

/** case_expect.c: compares with what was expected. */
struct play_view;
void case_expect(const struct test_case *test, const struct play_view *view,
                 struct outcome *outcome);

#endif
