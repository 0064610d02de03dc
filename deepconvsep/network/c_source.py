"""What the operations with C code of their own have in common.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import theano

#: ``rows_of(array)``: a new reference to the array, or to a copy whose last axis has no gaps; NULL without memory.
#: ``released(arrays, count, made)``: give such references back; `made`, and a MemoryError is set where it is false.
ROWS_OF = """
static PyArrayObject *rows_of(PyArrayObject *array)
{
    if (PyArray_STRIDE(array, PyArray_NDIM(array) - 1) != PyArray_ITEMSIZE(array))
        return (PyArrayObject *)PyArray_NewCopy(array, NPY_CORDER);
    Py_INCREF(array);
    return array;
}

static bool released(PyArrayObject **arrays, int count, bool made)
{
    for (int number = 0; number < count; ++number)
        Py_XDECREF(arrays[number]);
    if (!made && !PyErr_Occurred())
        PyErr_NoMemory();
    return made;
}
"""


def usable():
    """Whether the operations are to be used: on a GPU all arrays would come back for them."""
    return theano.config.device == 'cpu'
