unsigned weak_helper(unsigned value);
unsigned other_helper(unsigned value);
