/* Linked with the whole of one floor and the floors below it: an upward call fails to link. */
int main(void)
{
    return 0;
}
