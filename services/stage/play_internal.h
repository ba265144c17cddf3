/* What the files of a play share. */
#ifndef STAGE_PLAY_INTERNAL_H
#define STAGE_PLAY_INTERNAL_H

#include "stage/play.h"
#include "stage/stage.h"

struct play {
    struct stage *stage; /* owned, as all that follows */
    json secrets;
    struct secret_source secret_source; /* over them */
    const struct workflow *workflow;    /* of the run; NULL: not started */
    struct id run;
    unsigned events; /* published */
};

#endif
