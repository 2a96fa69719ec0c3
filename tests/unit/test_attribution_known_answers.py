"""Attributions against what they are on paper, and against Captum's own."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from torch import nn

from assurance.adapters.protocol import AttentionLayer, Prompt
from assurance.evidence.errors import InvalidInput, NotComputable
from explainability.attribution.attention_rollout import _through, attention_rollout, rollout
from explainability.attribution.catalogue import EXPLAINERS, checked_parameters, methods_for
from explainability.attribution.grad_cam import grad_cam, seg_grad_cam
from explainability.attribution.gradient_shap import gradient_shap
from explainability.attribution.integrated_gradients import integrated_gradients
from explainability.attribution.kernel_shap import kernel_shap, superpixels
from explainability.attribution.occlusion import occlusion
from explainability.attribution.prompt_sensitivity import jittered, prompt_sensitivity
from explainability.attribution.question import Question, blurred
from explainability.attribution.smooth_gradient import saliency, smoothgrad
from tests.toy_models import Toy, linear, small_cnn

RNG = np.random.default_rng(3)
IMAGE = RNG.uniform(0, 1, (8, 8)).astype(np.float32)
WEIGHTS = RNG.normal(0, 1, (8, 8)).astype(np.float32)


def test_integrated_gradients_of_a_product_give_six_and_six():
    # f = x1·x2 at (3, 4) from 0: each gets ∫ t·3·4 dt = 6
    model = Toy(lambda x: (x[:, 0, 0, 0] * x[:, 0, 0, 1])[:, None], classes=("product",))
    found = integrated_gradients(model, np.array([[3.0, 4.0]]))
    assert found.grid_values == pytest.approx(np.array([[6.0, 6.0]]), rel=1e-5)
    assert found.completeness_error < 1e-5
    assert (found.f_x, found.f_baseline) == (12, 0)


@pytest.mark.parametrize("baseline", ["black", "mean", "blurred"])
def test_integrated_gradients_agree_with_captums_and_add_up(baseline):
    network = small_cnn().eval()
    image = RNG.uniform(0, 1, (32, 32)).astype(np.float32)
    found = integrated_gradients(Toy(network), image, target=1, baseline=baseline, steps=50)
    question = Question(Toy(network), image, target=1)
    plain = IntegratedGradients(lambda x: network(x)[:, 1]).attribute(
        question.inputs, baselines=question.baseline(baseline), n_steps=50, method="gausslegendre"
    )
    assert found.grid_values == pytest.approx(plain[0, 0].detach().numpy(), abs=1e-5)
    assert found.completeness_error < 0.05


def test_occlusion_of_a_linear_model_is_weight_times_value_by_pixel():
    found = occlusion(linear(WEIGHTS), IMAGE, baseline="black", windows=8)
    assert found.grid_values == pytest.approx(WEIGHTS * IMAGE, abs=1e-5)


def test_occlusion_windows_of_half_a_side_average_over_what_covers_a_pixel():
    # 8 pixels, windows of 4, steps of 2: pixel 0 lies in the first window only, pixel 2 in the first two
    found = occlusion(linear(np.ones((8, 8))), np.ones((8, 8)), baseline="black", windows=2)
    assert found.grid_values == pytest.approx(16)


def test_saliency_of_a_linear_model_is_its_weights():
    assert saliency(linear(WEIGHTS), IMAGE).grid_values == pytest.approx(np.abs(WEIGHTS))
    assert smoothgrad(linear(WEIGHTS), IMAGE, samples=4).grid_values == pytest.approx(np.abs(WEIGHTS), rel=1e-5)


def test_grad_cam_is_the_rectified_sum_of_channels_weighted_by_their_mean_gradients():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    found = grad_cam(Toy(network), IMAGE, target=1)
    features = network[0](torch.as_tensor(IMAGE)[None, None])[0]
    # the mean gradient of logit 1 with respect to a channel is its linear weight over the number of cells
    by_hand = torch.relu((features * network[3].weight[1].view(3, 1, 1)).sum(0) / features[0].numel()).detach()
    large = nn.functional.interpolate(by_hand[None, None], size=(8, 8), mode="bilinear", align_corners=False)[0, 0]
    assert found.grid_values == pytest.approx(large.numpy(), abs=1e-6)
    captum = LayerGradCam(lambda x: network(x)[:, 1], network[0]).attribute(
        torch.as_tensor(IMAGE)[None, None].requires_grad_(True), relu_attributions=True
    )
    assert by_hand.numpy() == pytest.approx(captum[0, 0].detach().numpy(), abs=1e-6)


def test_seg_grad_cam_looks_where_the_mask_comes_from():
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[0].weight[0, 0, 1, 1] = 1.0
        network[1].weight[0, 0] = 1.0
        network[1].bias[0] = -0.5
    image = np.zeros((16, 16), np.float32)
    image[4:8, 4:8] = 1.0
    found = seg_grad_cam(Toy(network, task="segmentation", classes=()), image)
    assert found.grid_values[4:8, 4:8].min() > 0
    assert found.grid_values[image == 0].max() == 0
    assert found.target == "mean logit over the predicted mask"


def test_kernel_shap_gives_the_shapley_values_of_an_interaction():
    # f = product over 2 of 4 regions + sum of the others: the two factors share their product equally
    image = np.zeros((8, 8), np.float32)
    image[:4, :4], image[:4, 4:], image[4:, :4], image[4:, 4:] = 1.0, 2.0, 3.0, 4.0

    def answer(x):
        parts = [x[:, 0, :4, :4].mean((1, 2)), x[:, 0, :4, 4:].mean((1, 2)), x[:, 0, 4:, :4].mean((1, 2)),
                 x[:, 0, 4:, 4:].mean((1, 2))]  # fmt: skip
        return (parts[0] * parts[1] + parts[2] + parts[3])[:, None]

    labels = superpixels(image, n=4)
    assert np.bincount(labels.ravel()).tolist() == [16, 16, 16, 16]
    found = kernel_shap(Toy(answer, classes=("f",)), image, regions=4, baseline="black", samples=200)
    by_region = [float(found.grid_values[labels == index].sum()) for index in range(4)]
    assert by_region == pytest.approx([1.0, 1.0, 3.0, 4.0], abs=0.05)
    assert sum(by_region) == pytest.approx(found.f_x - found.f_baseline, abs=1e-3)


def test_gradient_shap_of_a_linear_model_is_weight_times_difference_from_the_mean_reference():
    references = [np.full((8, 8), 0.25, np.float32)] * 16
    found = gradient_shap(linear(WEIGHTS), IMAGE, references=references, sd=0.0)
    assert found.grid_values == pytest.approx(WEIGHTS * (IMAGE - 0.25), abs=1e-5)
    with pytest.raises(NotComputable, match="needs 16 or more"):
        gradient_shap(linear(WEIGHTS), IMAGE, references=references[:3])


def test_drawing_methods_leave_the_global_generators_alone():
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    expected = np.random.rand(), float(torch.rand(1))  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    gradient_shap(linear(WEIGHTS), IMAGE, references=[IMAGE * 0.5] * 16)
    kernel_shap(linear(WEIGHTS), IMAGE, regions=4)
    smoothgrad(linear(WEIGHTS), IMAGE, samples=4)
    assert (np.random.rand(), float(torch.rand(1))) == expected  # noqa: NPY002


def test_rollout_is_the_product_of_row_normalised_attention_plus_identity():
    first = torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    second = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    # Â1 = [[.75,.25],[0,1]], Â2 = [[1,0],[.25,.75]]; Â2·Â1 = [[.75,.25],[.1875,.8125]]
    whole = torch.stack([rollout([first, second], row) for row in torch.eye(2, dtype=torch.float64)])
    assert whole.numpy() == pytest.approx(np.array([[0.75, 0.25], [0.1875, 0.8125]]))


def test_rollout_within_windows_is_that_of_the_matrix_with_blocks():
    torch.manual_seed(0)
    layer = AttentionLayer(nn.Identity(), (4, 6), heads=2, window=2)
    weights = torch.rand(6 * 2, 4, 4)
    row = torch.rand(24)
    blocks = torch.zeros(24, 24)
    places = np.arange(24).reshape(4, 6)
    number = 0
    for top in (0, 2):
        for left in (0, 2, 4):
            cells = places[top : top + 2, left : left + 2].ravel()
            blocks[np.ix_(cells, cells)] = weights.view(6, 2, 4, 4).mean(1)[number]
            number += 1
    assert _through(row, layer, weights).numpy() == pytest.approx(rollout([blocks], row).numpy(), rel=1e-5)


class TinyAttention(nn.Module):
    """One head over the pixels of an image as tokens, with a class token in front."""

    def __init__(self, side):
        super().__init__()
        torch.manual_seed(4)
        self.embed, self.query, self.key = nn.Linear(1, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.head, self.token = nn.Linear(6, 2), nn.Parameter(torch.randn(1, 1, 6))
        self.attend = Attend()

    def forward(self, inputs):
        tokens = torch.cat([self.token.expand(len(inputs), 1, 6), self.embed(inputs.flatten(2).transpose(1, 2))], dim=1)
        return self.head((tokens + self.attend(self.query(tokens), self.key(tokens), tokens)[0])[:, 0])


class Attend(nn.Module):
    def forward(self, query, key, value):
        weights = (query @ key.transpose(1, 2) / 6**0.5).softmax(-1)[:, None]
        return weights[:, 0] @ value, weights


class WithAttention(Toy):
    def attention_layers(self):
        return {"attend": AttentionLayer(self.network.attend, (4, 4), heads=1, prefix_tokens=1)}


def test_gradient_weighted_rollout_agrees_with_one_worked_out_by_finite_differences():
    network = TinyAttention(4)
    image = RNG.uniform(0, 1, (4, 4)).astype(np.float32)
    model = WithAttention(network)
    found = attention_rollout(model, image, target=1)
    tokens = torch.cat([network.token, network.embed(torch.as_tensor(image).reshape(1, 16, 1))], dim=1).double()
    weights = (
        (network.query(tokens.float()) @ network.key(tokens.float()).transpose(1, 2) / 6**0.5).softmax(-1)[0].double()
    )
    head = network.head.double()
    gradient = torch.zeros(17)
    with torch.no_grad():
        for place in range(17):
            moved = weights.clone()
            moved[0, place] += 1e-5
            ends = [head((tokens + (each @ tokens[0])[None])[:, 0])[0, 1] for each in (moved, weights)]
            gradient[place] = (ends[0] - ends[1]) / 1e-5
        row = (weights[0].float() * gradient).clamp(min=0)
        row[0] += 1
        row = row / row.sum()
    assert found.grid_values == pytest.approx(row[1:].reshape(4, 4).numpy(), abs=1e-4)
    with pytest.raises(NotComputable, match="no self-attention"):
        attention_rollout(linear(WEIGHTS), IMAGE)


def boxed(inputs, prompt):
    """A mask that is the prompt's box: logit +1 inside, −1 outside, so that Dice with a jittered box is on paper."""
    down, across = torch.meshgrid(torch.arange(inputs.shape[2]), torch.arange(inputs.shape[3]), indexing="ij")
    x0, y0, x1, y1 = prompt.box
    inside = (across + 0.5 > x0) & (across + 0.5 < x1) & (down + 0.5 > y0) & (down + 0.5 < y1)
    return (inside.float() * 2 - 1).expand(len(inputs), 1, -1, -1)


def test_prompt_sensitivity_of_a_model_that_draws_its_box():
    model = Toy(boxed, task="segmentation", classes=(), prompts=("box",))
    box = (8.0, 8.0, 24.0, 24.0)
    found = prompt_sensitivity(model, np.ones((32, 32)), prompt=Prompt(box=box), seed=5)
    rng = np.random.default_rng(5)
    own = boxed(torch.zeros(1, 1, 32, 32), Prompt(box=box))[0, 0] > 0
    dice = []
    for _ in range(16):
        mask = boxed(torch.zeros(1, 1, 32, 32), Prompt(box=jittered(box, (32, 32), 0.05, rng)))[0, 0] > 0
        dice.append(float(2 * (mask & own).sum() / (mask.sum() + own.sum())))
    assert found.extras["dice"] == pytest.approx(dice)
    assert found.extras["dice_lowest"] == min(dice)
    assert found.values[:6].max() == found.values[14:18, 14:18].max() == 0  # far from every edge nothing changes
    assert set(found.extras["logit_per_pixel"]) == {"x0", "y0", "x1", "y1"}


def test_a_pull_of_an_edge_is_the_derivative():
    # the logit is the box's width everywhere: d/dx1 = 1, d/dx0 = −1, d/dy = 0
    def wide(inputs, prompt):
        return torch.full((len(inputs), 1, 32, 32), prompt.box[2] - prompt.box[0])

    model = Toy(wide, task="segmentation", classes=(), prompts=("box",))
    pulls = prompt_sensitivity(model, np.ones((32, 32)), prompt=Prompt(box=(8, 8, 24, 24))).extras["logit_per_pixel"]
    assert pulls == pytest.approx({"x0": -1, "y0": 0, "x1": 1, "y1": 0}, abs=1e-4)


GRADIENT_METHODS = {
    "integrated_gradients": {}, "saliency": {}, "smoothgrad": {}, "occlusion": {},
    "gradient_shap": {"references": [IMAGE * 0.5] * 16}, "kernel_shap": {"regions": 4},
}  # fmt: skip


@pytest.mark.parametrize("key", GRADIENT_METHODS)
def test_a_constant_model_gives_zeros_and_is_refused(key):
    model = Toy(lambda x: 0 * x.flatten(1).sum(1, keepdim=True) + 3, classes=("always",))
    with pytest.raises(NotComputable) as refusal:
        EXPLAINERS.load(key)(model, IMAGE, **GRADIENT_METHODS[key])
    assert refusal.value.code == "zero_map"


@pytest.mark.parametrize("key", [*GRADIENT_METHODS, "grad_cam"])
def test_a_model_is_left_as_it_was_found(key):
    network = small_cnn()
    model = Toy(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(2):
        EXPLAINERS.load(key)(model, RNG.uniform(0, 1, (32, 32)), target=0, **(
            {"references": [np.full((32, 32), 0.1)] * 16} if key == "gradient_shap" else GRADIENT_METHODS.get(key, {})
        ))  # fmt: skip
    assert not network.training
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(not module._forward_hooks and not module._backward_hooks and not module._forward_pre_hooks
               for module in network.modules())  # fmt: skip
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_network_runs_once_for_each_call():
    # a wrapper that ran it once per class would leave Captum with the last call's activations and give zeros
    calls = []
    network = small_cnn()
    network.register_forward_hook(lambda *parts: calls.append(1))
    question = Question(Toy(network), RNG.uniform(0, 1, (32, 32)), target=1)
    calls.clear()
    grad_cam(question.model, question.image, question=question)
    assert len(calls) == 1  # the image's own pass was shared


def test_methods_share_one_question_and_so_one_pass():
    calls = []
    network = small_cnn()
    network.register_forward_hook(lambda *parts: calls.append(1))
    image = RNG.uniform(0, 1, (32, 32))
    model = Toy(network)
    for key in ("grad_cam", "saliency"):
        EXPLAINERS.load(key)(model, image)
    alone = len(calls)
    calls.clear()
    question = Question(model, image)
    for key in ("grad_cam", "saliency"):
        EXPLAINERS.load(key)(model, image, question=question)
    assert len(calls) == alone - 1 == 3


def test_a_blurred_image_keeps_its_mean_and_a_flat_one_is_kept():
    flat = torch.full((1, 1, 32, 32), 2.5)
    assert blurred(flat).numpy() == pytest.approx(2.5)
    spike = torch.zeros(1, 1, 65, 65)
    spike[0, 0, 32, 32] = 1.0
    soft = blurred(spike)
    assert float(soft.sum()) == pytest.approx(1, abs=1e-5)
    # sd is a sixteenth of the side: the peak of a two-dimensional Gaussian is 1/(2πσ²)
    assert float(soft[0, 0, 32, 32]) == pytest.approx(1 / (2 * np.pi * (65 / 16) ** 2), rel=0.02)


def test_a_mask_reaches_the_networks_grid():
    model = Toy(lambda x: x.flatten(1).sum(1, keepdim=True), classes=("a",))
    question = Question(model, IMAGE)
    mask = np.zeros((8, 8), bool)
    mask[2:5, 3:7] = True
    assert (question.to_grid(mask) == mask).all()
    with pytest.raises(InvalidInput, match="the image"):
        question.to_grid(np.zeros((3, 3), bool))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: integrated_gradients(linear(WEIGHTS), IMAGE, steps=0), "give 1 to 500"),
        (lambda: integrated_gradients(linear(WEIGHTS), IMAGE, baseline="noise"), "black, blurred, mean"),
        (lambda: occlusion(linear(WEIGHTS), IMAGE, windows=1), "give 2 to 32"),
        (lambda: smoothgrad(linear(WEIGHTS), IMAGE, samples=1), "give 2 to 200"),
        (lambda: saliency(linear(WEIGHTS), IMAGE, target=5), "give 0 to 0"),
        (lambda: kernel_shap(linear(WEIGHTS), IMAGE, regions=2), "give 4 to 400"),
        (lambda: kernel_shap(linear(WEIGHTS), IMAGE, regions=4, samples=3), "give 16 or more"),
        (lambda: grad_cam(Toy(boxed, task="segmentation"), IMAGE), "use seg_grad_cam"),
        (lambda: seg_grad_cam(linear(WEIGHTS), IMAGE), "use grad_cam"),
        (lambda: prompt_sensitivity(linear(WEIGHTS), IMAGE), "takes no box"),
        (lambda: checked_parameters("occlusion", {"windows": 2.5}), "whole number"),
        (lambda: checked_parameters("occlusion", {"windows": True}), "give a number"),
        (lambda: methods_for("classification", ["reading_tea"]), "not known"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_allowed(call, words):
    with pytest.raises(InvalidInput, match=words):
        call()


def test_a_model_that_finds_nothing_or_answers_nan_is_refused():
    empty = Toy(lambda x: x * 0 - 1, task="segmentation", classes=())
    with pytest.raises(NotComputable, match="no mask to explain"):
        saliency(empty, IMAGE)
    broken = Toy(lambda x: x.flatten(1).sum(1, keepdim=True) * float("nan"), classes=("a",))
    with pytest.raises(NotComputable, match="not finite"):
        saliency(broken, IMAGE)


def test_a_method_of_another_task_gives_way_to_its_sibling():
    assert methods_for("classification", ["integrated_gradients", "seg_grad_cam"]) == [
        "integrated_gradients",
        "grad_cam",
    ]
    assert methods_for("segmentation", ["grad_cam", "seg_grad_cam"]) == ["seg_grad_cam"]
    assert methods_for("registration", ["grad_cam"]) == []
