/**
 * child: child runs as the deciding core sees them. Where a child is to be, and whether its
 * workflow exists, is asked while the task starts; the answer is in the journal with the child's
 * id, so that a replay asks nobody.
 */
#ifndef SCHEDULER_CHILD_H
#define SCHEDULER_CHILD_H

#include "base/status.h"
#include "base/str.h"
#include "workflow/workflow.h"
#include "json/json.h"

#include <stdint.h>

enum {
    CHILD_DEPTH_MAX     = 32,                         /* runs within runs */
    CHILD_REFERENCE_MAX = 2 * WORKFLOW_NAME_MAX + 256 /* bytes of "namespace/name:version" */
};

struct child_wish {
    str namespace, name;
    str version; /* empty: the newest release */
    json input;  /* borrowed */
};

struct child_place {
    uint16_t partition;
    char version[256]; /* what `version` means today */
};

/** A workflow as the tool of an agent. Values are owned. */
struct child_description {
    char version[256]; /* what `version` means today */
    json schema;       /* of its input; JSON_INVALID: it says nothing */
    json summary;      /* a text: what it is for; JSON_INVALID: it says nothing */
};

/** How deciding asks. NULL in decide_env: every workflow exists, and children live where their
 * parents do. */
struct child_places {
    /** NOT_FOUND: no such workflow. INVALID_ARGUMENT: the input does not fit it. UNAVAILABLE: its
     * partition is not here. */
    status (*find)(const struct child_wish *wish, struct child_place *ret_place,
                   struct error *reterr, void *context);
    /** `input` is not looked at. NOT_FOUND, UNAVAILABLE: as above. */
    status (*describe)(const struct child_wish *wish, struct child_description *ret_description,
                       struct error *reterr, void *context);
    void *context;
};

#endif
