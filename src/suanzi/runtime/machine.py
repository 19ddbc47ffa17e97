"""LLVM IR to machine code: compile, disassemble, load.

A module compiles in a context of its own, so several threads may compile at
once: the two calls that take all the time are made past llvmlite's global lock, which is there for
the context that modules otherwise share.
"""

import ctypes
import functools
import itertools
import threading
from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm

from suanzi.lang.target import Target

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

_library = ctypes.CDLL(llvm.ffi.lib._name)
_lock = threading.Lock()
_names = itertools.count()


def _unlocked(name: str) -> Any:
    locked, function = getattr(llvm.ffi.lib, name), getattr(_library, name)
    function.argtypes, function.restype = locked.argtypes, locked.restype
    return function


_run_passes = _unlocked("LLVMPY_RunNewModulePassManager")
_emit = _unlocked("LLVMPY_TargetMachineEmitToMemory")


def compile_object(ir_text: str, target: Target) -> bytes:
    """The object code of a module, optimised for `target`; any number of threads at once."""
    machine, module = _optimised(ir_text, target)
    with llvm.ffi.OutputString() as error:
        buffer = _emit(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start = llvm.ffi.lib.LLVMPY_GetBufferStart(buffer)
        return ctypes.string_at(start, llvm.ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        llvm.ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def assembly(ir_text: str, target: Target) -> str:
    """The assembly that `compile_object` encodes, to read; for any processor."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine, module = _optimised(ir_text, target)
    return str(machine.emit_assembly(module))


def _optimised(ir_text: str, target: Target) -> tuple[Any, Any]:
    # PIC and small: constants are operands in memory, at an offset from the program counter.
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="small"
    )
    module = llvm.parse_assembly(ir_text, llvm.create_context())
    module.verify()
    # A kernel is written in vectors, unrolled and blocked by its author: variables to registers and
    # some tidying is all it needs. O2 made no kernel faster and took three times as long.
    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    _run_passes(passes, module, builder)
    return machine, module


class Code(dict[str, int]):
    """Addresses by symbol. The machine code is unloaded when this is collected."""

    def __init__(self, addresses: Mapping[str, int], tracker: Any) -> None:
        super().__init__(addresses)
        self._tracker = tracker


@functools.cache
def _jit() -> Any:
    return llvm.create_lljit_compiler(use_jit_link=True)


def load(objects: Mapping[str, bytes]) -> Code:
    """Links object code by the symbol wanted of it; C's functions resolve in the process.

    Symbols may share an object. What isn't object code for this processor is a RuntimeError.
    """
    library = llvm.JITLibraryBuilder().add_current_process()
    for code in dict.fromkeys(objects.values()):
        library.add_object_img(code)
    for symbol in objects:
        library.export_symbol(symbol)
    with _lock:
        tracker = library.link(_jit(), f"suanzi{next(_names)}")
    return Code({symbol: tracker[symbol] for symbol in objects}, tracker)
