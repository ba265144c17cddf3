#include "expr/yield.h"

enum expr_yield yield_of(const struct node *node)
{
    (void)node;
    return EXPR_YIELDS_ANY;
}
