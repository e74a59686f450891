// An import of a stylesheet brings nothing but its looks.
export {}
