#include "auth/role.h"

#include "auth/namespace.h"
#include "base/attr.h"

/* clang-format off */
static const struct {
    const char *name;
    char letter;
    enum role role;
    unsigned includes;
} roles_table[] = {
    {"viewer",       'V', ROLE_VIEWER,       0},
    {"developer",    'D', ROLE_DEVELOPER,    ROLE_VIEWER},
    {"operator",     'O', ROLE_OPERATOR,     ROLE_VIEWER | ROLE_DEVELOPER},
    {"approver",     'A', ROLE_APPROVER,     ROLE_VIEWER},
    {"worker",       'W', ROLE_WORKER,       0},
    {"model_client", 'L', ROLE_MODEL_CLIENT, 0},
    {"admin",        'X', ROLE_ADMIN,        ROLE_VIEWER | ROLE_DEVELOPER | ROLE_OPERATOR |
                                             ROLE_APPROVER | ROLE_WORKER | ROLE_MODEL_CLIENT},
};
/* clang-format on */

bool role_parse(str name, enum role *ret_role)
{
    for (size_t i = 0; i < ARRAY_LEN(roles_table); i++) {
        if (str_is(name, roles_table[i].name)) {
            *ret_role = roles_table[i].role;
            return true;
        }
    }
    return false;
}

const char *role_name(enum role role)
{
    for (size_t i = 0; i < ARRAY_LEN(roles_table); i++) {
        if (roles_table[i].role == role) return roles_table[i].name;
    }
    return "none";
}

void role_list(unsigned roles, struct buf *out)
{
    for (unsigned bit = 1; bit <= roles; bit <<= 1) {
        if (!(roles & bit)) continue;
        (void)buf_printf(out, "%s%s", out->len > 0 ? "," : "", role_name((enum role)bit));
    }
}

unsigned role_rights(unsigned roles)
{
    unsigned rights = roles;
    for (size_t i = 0; i < ARRAY_LEN(roles_table); i++) {
        if (roles & roles_table[i].role) rights |= roles_table[i].includes;
    }
    return rights;
}

bool role_allows(unsigned roles, const char *letters)
{
    unsigned rights = role_rights(roles);
    for (size_t i = 0; i < ARRAY_LEN(roles_table); i++) {
        if (!(rights & roles_table[i].role)) continue;
        for (const char *letter = letters; *letter; letter++) {
            if (*letter == roles_table[i].letter) return true;
        }
    }
    return false;
}

bool namespace_of_request(str of_key, str requested, str *ret_namespace)
{
    if (requested.len == 0 || str_equal(requested, of_key)) {
        *ret_namespace = of_key;
        return true;
    }
    if (!str_is(of_key, "*") || !namespace_is_valid(requested)) return false;
    *ret_namespace = requested;
    return true;
}
