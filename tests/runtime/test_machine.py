import ctypes
import gc
import math
import threading

import numpy as np
import pytest

from suanzi.lang.target import AVX2, NEON, host_target
from suanzi.runtime import machine


def kernel(name: str, body: str, declarations: str = "") -> str:
    signature = "ptr %args, i64 %begin, i64 %end, i64 %thread"
    return f"{declarations}\ndefine void @{name}({signature}) {{\n{body}\n  ret void\n}}\n"


def call(address: int, *args: int) -> None:
    table = np.array(args, np.int64)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(address)(table.ctypes.data, 0, 1, 0)


def store(name: str, number: int) -> str:
    return kernel(name, f"  %p = load ptr, ptr %args\n  store i64 {number}, ptr %p")


def compiled(text: str) -> bytes:
    return machine.compile_object(text, host_target())


def test_many_objects_load_at_once():
    code = machine.load({f"store{i}": compiled(store(f"store{i}", i)) for i in range(10)})
    out = np.zeros(1, np.int64)
    for i in range(10):
        call(code[f"store{i}"], out.ctypes.data)
        assert out == i


def test_symbols_of_two_libraries_may_be_equal():
    first = machine.load({"f": compiled(store("f", 1))})
    second = machine.load({"f": compiled(store("f", 2))})
    out = np.zeros(2, np.int64)
    call(first["f"], out.ctypes.data)
    call(second["f"], out.ctypes.data + 8)
    assert list(out) == [1, 2]


def test_two_symbols_of_one_object():
    both = compiled(store("f", 1) + store("g", 2))
    code = machine.load({"f": both, "g": both})
    out = np.zeros(1, np.int64)
    call(code["g"], out.ctypes.data)
    assert out == 2
    assert code["f"] != code["g"]


def test_code_of_one_library_outlives_another():
    kept = machine.load({"f": compiled(store("f", 1))})
    gone = machine.load({"g": compiled(store("g", 2))})
    del gone
    gc.collect()
    out = np.zeros(1, np.int64)
    call(kept["f"], out.ctypes.data)
    assert out == 1


def test_memset_and_memcpy_resolve():
    size = 10_000_000
    body = f"""
  %to = load ptr, ptr %args
  %from.at = getelementptr i64, ptr %args, i64 1
  %from = load ptr, ptr %from.at
  %half = getelementptr i8, ptr %to, i64 {size // 2}
  call void @llvm.memset.p0.i64(ptr %to, i8 7, i64 {size // 2}, i1 false)
  call void @llvm.memcpy.p0.p0.i64(ptr %half, ptr %from, i64 {size // 2}, i1 false)"""
    declarations = """
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"""
    text = kernel("fill", body, declarations)
    assert "memset" in machine.assembly(text, host_target())
    code = machine.load({"fill": compiled(text)})
    source, array = np.full(size // 2, 9, np.uint8), np.zeros(size, np.uint8)
    call(code["fill"], array.ctypes.data, source.ctypes.data)
    assert (array[: size // 2] == 7).all()
    assert (array[size // 2 :] == 9).all()


@pytest.mark.parametrize("name", ["exp", "log", "sin", "pow"])
def test_the_mathematics_that_llvm_calls_resolves(name):
    more = ", double 2.5" if name == "pow" else ""
    body = f"""
  %p = load ptr, ptr %args
  %x = load double, ptr %p
  %y = call double @llvm.{name}.f64(double %x{more})
  store double %y, ptr %p"""
    type_ = "double, double" if name == "pow" else "double"
    declared = f"declare double @llvm.{name}.f64({type_})"
    code = machine.load({"f": compiled(kernel("f", body, declared))})
    value = np.array([1.25])
    call(code["f"], value.ctypes.data)
    expected = 1.25**2.5 if name == "pow" else getattr(math, name)(1.25)
    assert value == pytest.approx(expected)


def test_constant_tables_are_in_reach():
    body = """
  %p = load ptr, ptr %args
  %at = getelementptr [512 x i64], ptr @table, i64 0, i64 %begin
  %x = load i64, ptr %at
  store i64 %x, ptr %p"""
    table = ", ".join(f"i64 {i + 5}" for i in range(512))
    text = kernel("look", body, f"@table = private constant [512 x i64] [{table}]")
    code, out = machine.load({"look": compiled(text)}), np.zeros(1, np.int64)
    call(code["look"], out.ctypes.data)
    assert out == 5


def test_an_unknown_symbol_is_an_error():
    text = kernel(
        "f", "  call void @suanzi_no_such_function()", "declare void @suanzi_no_such_function()"
    )
    with pytest.raises(RuntimeError):
        machine.load({"f": compiled(text)})
    with pytest.raises(RuntimeError):
        machine.load({"missing": compiled(store("f", 1))})


@pytest.mark.parametrize("code", [b"", b"not object code", bytes(5000)])
def test_what_is_no_object_is_an_error(code):
    with pytest.raises(RuntimeError):
        machine.load({"f": code})


def test_wrong_ir_is_an_error():
    with pytest.raises(RuntimeError, match="parsing"):
        compiled("define void @f( {")
    with pytest.raises(RuntimeError):  # %x doesn't reach its use on every way
        compiled("""
define i64 @f(i1 %c) {
  br i1 %c, label %a, label %b
a:
  %x = add i64 1, 1
  br label %b
b:
  ret i64 %x
}""")


def test_threads_compile_at_once_to_the_same_code():
    texts = [store(f"store{i}", i) for i in range(40)]
    expected, found = [compiled(text) for text in texts], {}

    def work(part: int) -> None:
        for i in range(part, 40, 4):
            found[i] = compiled(texts[i])

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(40)] == expected


def test_assembly_of_other_processors():
    body = """
  %p = load ptr, ptr %args
  %x = load <8 x float>, ptr %p
  %y = fmul <8 x float> %x, %x
  store <8 x float> %y, ptr %p"""
    text = kernel("square", body)
    assert "vmulps" in machine.assembly(text, AVX2)
    assert "fmul\tv0.4s" in machine.assembly(text, NEON)
