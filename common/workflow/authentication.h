/** authentication: the five kinds as templates. Internal to this layer. */
#ifndef WORKFLOW_AUTHENTICATION_H
#define WORKFLOW_AUTHENTICATION_H

#include "workflow/reader.h"

/** The members of `oauth2` and `oidc` at hand, inline; NULL after a finding. */
const struct template *oauth2_template(struct reader *reader, json value);
const struct template *oidc_template(struct reader *reader, json value);

#endif
